// What requests have made so far, by kind: drafts refer to it, so that what comes later meets what is there. Nothing depends on chance here.

import type { Received, Sent } from "./exchange.ts";
import { firstImages, type Kept } from "./projects.ts";
import type { Draft } from "./requests.ts";
import type { FuzzedService } from "./service.ts";
import { type Kind, kinds } from "./values.ts";

/** Older ones are forgotten first: most of them are gone. */
const rememberedMax = 60;
const reference = new RegExp(`@(${kinds.join("|")}):(\\d+)@`, "g");

export class Things {
  readonly #made: Record<Kind, string[]>;
  readonly #kept: Kept;

  constructor({ urls }: Pick<FuzzedService, "urls">, kept: Kept) {
    this.#kept = kept;
    this.#made = {
      image: ["5ec4e700-0000-4000-8000-000000000010", ...firstImages],
      task: ["00000000-0000-4000-8000-000000000000"],
      namespace: ["N", "M"],
      object: ["o"],
      property: ["p"],
      tag: ["t"],
      type: ["T"],
      member: ["guest", "intruder", "keeper", "ops"],
      url: [...urls],
    };
  }

  /** The request that a draft stands for now. Whoever may do everything is not led to what is kept. */
  sent(draft: Draft, caller: { readonly token: string; readonly trusted: boolean }): Sent {
    const fill = (text: string, encode: (value: string) => string) =>
      text.replace(reference, (_, kind: Kind, number) => encode(this.#one(kind, Number(number), caller.trusted)));
    const inUrl = (text: string) => encodeURIComponent(fill(text, (value) => value).toWellFormed());
    const params = [...draft.params];
    const path = draft.path.replaceAll(/\{\w+\}/g, () => inUrl(params.shift() ?? ""));
    const query = draft.query.map(([name, value]) => `${inUrl(name)}=${inUrl(value)}`).join("&");
    const { body } = draft;
    return {
      method: draft.method,
      path: query === "" ? path : `${path}?${query}`,
      headers: {
        ...Object.fromEntries(draft.headers.map(([name, value]) => [name, fill(value, encodeURIComponent)])),
        ...(caller.token === "" ? {} : { "x-auth-token": caller.token }),
      },
      body: typeof body === "string" ? Buffer.from(fill(body, (value) => JSON.stringify(value).slice(1, -1))) : body,
      sending: draft.sending,
    };
  }

  #one(kind: Kind, number: number, trusted: boolean): string {
    const kept = trusted
      ? []
      : kind === "image"
        ? this.#kept.imageIds
        : kind === "namespace"
          ? this.#kept.namespaces
          : [];
    // One in ten leads to what is kept.
    if (kept.length > 0 && number % 10 === 0) return kept[(number / 10) % kept.length] ?? "";
    const made = this.#made[kind];
    return made[number % made.length] ?? "";
  }

  /** Learns from an answer what there is now. */
  learn(draft: Draft, sent: Sent, { status, headers, body }: Received): void {
    if (status === 204 && draft.method === "DELETE" && draft.path === "/v2/images/{imageId}") this.#forget(sent.path);
    if (status !== 201 && !(status === 200 && draft.method === "GET")) return;
    if (headers["content-type"] !== "application/json" || !body.startsWith("{")) return;
    const answer = JSON.parse(body) as Readonly<Record<string, unknown>>;
    const { id, namespace, name } = answer;
    const [, , first = "", second = "", , third] = draft.path.split("/");
    if (first === "images" && second === "" && typeof id === "string") this.#add("image", id);
    if (first === "tasks" && typeof id === "string") this.#add("task", id);
    if (first === "tasks" && Array.isArray(answer.tasks))
      for (const task of answer.tasks.slice(0, 3)) this.#add("task", task.id);
    if (typeof namespace === "string") this.#add("namespace", namespace);
    const kind =
      third && ({ objects: "object", properties: "property", tags: "tag", resource_types: "type" } as const)[third];
    if (kind && typeof name === "string") this.#add(kind, name);
  }

  /** A deleted image is asked for now and then, but not for ever. */
  #forget(path: string): void {
    const at = this.#made.image.indexOf(path.split("/").at(-1) ?? "");
    if (at > 0) this.#made.image.splice(at, 1);
  }

  #add(kind: Kind, value: string): void {
    const made = this.#made[kind];
    if (made.includes(value)) return;
    made.push(value);
    if (made.length > rememberedMax) made.shift();
  }
}

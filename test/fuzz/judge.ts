// What every answer must be: never a failure of ours, of the form that is documented, and without a word of what is another project's.
import { Contract, type Description } from "../../src/api/openapi/testing/contract.ts";
import type { Received, Sent } from "./exchange.ts";
import type { Kept } from "./projects.ts";
import type { Draft } from "./requests.ts";
import type { FuzzedNode } from "./service.ts";

/** Refusals of requests that are no call: a path nobody has, another method, nothing to choose from; and of who may not even ask. */
const noCall: readonly number[] = [300, 302, 400, 401, 403, 404, 405, 431, 501];
/** Where an empty text makes two slashes, which count as one, the path may be another call's, with refusals of its own. */
const doubledSlash = /^[^?]*\/\//;
/** What a text in a path may be for the call to be the one that was meant. */
const unchanged = /^[^/\\?#%\s]+$/;

export class Judge {
  readonly #contracts: readonly Contract[];
  readonly #nodes: readonly FuzzedNode[];
  readonly #kept: Kept;

  constructor(nodes: readonly FuzzedNode[], kept: Kept) {
    this.#nodes = nodes;
    this.#contracts = nodes.map(({ description }) => new Contract(inFleet(description)));
    this.#kept = kept;
  }

  /** null where the answer is as it should be. */
  mistake(draft: Draft, sent: Sent, answer: Received, caller: { readonly trusted: boolean }): string | null {
    // The client left; what became of its data is looked at in the end.
    if (answer.status === 0) return null;
    return this.#failure(answer) ?? this.#leak(sent, answer, caller) ?? this.#form(draft, sent, answer);
  }

  #failure({ status, body }: Received): string | null {
    return status >= 500 && status !== 501 ? `${status}: ${body.slice(0, 300)}` : null;
  }

  #leak(sent: Sent, answer: Received, { trusted }: { readonly trusted: boolean }): string | null {
    if (trusted) return null;
    const asked = [decoded(sent.path), ...Object.values(sent.headers), sent.body?.toString() ?? ""].join("\n");
    const told = `${answer.body}\n${JSON.stringify(answer.headers)}`;
    const leaked = this.#kept.marks.find((mark) => told.includes(mark) && !asked.includes(mark));
    return leaked === undefined ? null : `tells of another project's ${leaked}: ${told.slice(0, 500)}`;
  }

  #form(draft: Draft, sent: Sent, answer: Received): string | null {
    const { status, headers } = answer;
    // What is there for everybody answers whatever the method.
    if (!draft.path.startsWith("/v2/") && draft.method !== "GET") return null;
    const contentType = String(headers["content-type"] ?? "");
    const isCall =
      this.#nodes[draft.node]?.description.paths[draft.path]?.[draft.method.toLowerCase()] !== undefined &&
      draft.params.every((text) => unchanged.test(text) && text !== "." && text !== "..");
    const given = { status, contentType, body: answer.body };
    const mistake = this.#contracts[draft.node]?.mistake(draft.method, draft.path, given) ?? null;
    const isRefusal = noCall.includes(status) || (status === 415 && doubledSlash.test(sent.path));
    if (mistake !== null && (isCall || !isRefusal)) return `${mistake}: ${status} ${answer.body.slice(0, 300)}`;
    if (status === 405 && !headers.allow) return "405 without Allow";
    if (status === 401 && !headers["www-authenticate"]) return "401 without WWW-Authenticate";
    if (status >= 400) return refusalMistake(answer, contentType, draft.method);
    const id = headers["x-openstack-request-id"];
    const isPublic = !draft.path.startsWith("/v2/") || status === 300 || status === 302;
    return isPublic || String(id).startsWith("req-") ? null : `a request id of ${id}`;
  }
}

/**
 * What a node's own release says, but of images that nodes of other releases write too: these may be in a status, or have a format, that an older
 * one does not know, and have under a name that a newer one knows what was a custom property like any other.
 */
function inFleet(description: Description): Description {
  const relaxed = JSON.stringify(description, (key, value) => {
    if (value?.is_base === false) return { type: [value.type].flat().includes("null") ? ["string", "null"] : "string" };
    if (key === "container_format" || key === "disk_format") return { type: ["string", "null"] };
    const { enum: statuses } = value ?? {};
    return Array.isArray(statuses) && statuses.includes("pending_delete")
      ? { ...value, enum: [...statuses, "uploading", "importing"] }
      : value;
  });
  return JSON.parse(relaxed);
}

/** Bodies of refusals, by their type. */
function refusalMistake({ status, body }: Received, contentType: string, method: string): string | null {
  if (method === "HEAD") return null;
  const said = (ok: boolean) => (ok ? null : `a refusal of another form: ${contentType} ${body.slice(0, 200)}`);
  if (contentType === "application/json") return said(String(JSON.parse(body).code).startsWith(`${status} `));
  if (contentType.startsWith("text/html")) return said(body.includes(`<h1>${status} `));
  return said(contentType.startsWith("text/plain") && body.startsWith(`${status} `));
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

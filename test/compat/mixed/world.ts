// What random operations know of the fleet they work on: the images there are, chance by a seed, and the two checks that hold for each request.
import { seededRandom } from "../../../demo/traffic/actor.ts";
import { eventually } from "../../servers/eventually.ts";
import type { Comparison } from "./differences.ts";
import { type Answer, type Asked, ask, type Caller, describe } from "./exchange.ts";
import { type Kind, kinds, type MixedFleet } from "./fleet.ts";

export const json = (answer: Answer) => answer.body as Readonly<Record<string, unknown>>;
export const isOk = ({ status }: Answer) => status >= 200 && status < 300;

export class World {
  readonly fleet: MixedFleet;
  readonly images: string[] = [];
  readonly deleted: string[] = [];
  readonly namespaces: string[] = [];
  /** What was wrong, a line for each. */
  readonly mistakes: string[] = [];
  /** How many requests of which kind of operation went well; one that never does proves nothing. */
  readonly done = new Map<string, number>();
  /** Of the last attempt. */
  answeredBy: Kind = "ours";
  readonly #random: () => number;
  readonly #comparison: Comparison;

  constructor(fleet: MixedFleet, comparison: Comparison, seed: number) {
    this.fleet = fleet;
    this.#comparison = comparison;
    this.#random = seededRandom(seed);
  }

  below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("there is nothing to pick from");
    return item;
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  /** An image that is there; now and then one that was deleted. */
  image(): string {
    if (this.deleted.length > 0 && this.chance(25)) return this.pick(this.deleted);
    // Recent ones more often: what happens to an image happens to it in a row.
    const from = this.chance(2) ? this.images.slice(-6) : this.images;
    return this.pick(from);
  }

  caller(): Caller {
    return this.pick(["ann", "ann", "ann", "ann", "ops", "bob", "eve"]);
  }

  /** Sent to a node of either kind, by chance; where it is refused also to the other kind, which has to refuse it likewise. */
  async attempt(what: string, asked: Asked): Promise<Answer> {
    const kind = this.pick(kinds);
    this.answeredBy = kind;
    const answer = await ask(this.fleet, kind, asked);
    if (isOk(answer)) this.done.set(what, (this.done.get(what) ?? 0) + 1);
    else await this.#refusedBy(kind, asked, answer);
    return answer;
  }

  async #refusedBy(kind: Kind, asked: Asked, answer: Answer): Promise<void> {
    const other = kind === "theirs" ? "ours" : "theirs";
    const again = await ask(this.fleet, other, asked);
    this.note(`refused by ${kind}`, asked, kind === "theirs" ? [answer, again] : [again, answer]);
  }

  /** The same question to both. Returns our answer. */
  async bothSay(asked: Asked): Promise<Answer> {
    const [theirs, ours] = await Promise.all(kinds.map((kind) => ask(this.fleet, kind, asked)));
    if (!theirs || !ours) throw new Error("there are two kinds");
    this.note("both asked", asked, [theirs, ours]);
    return ours;
  }

  async allSay(asked: readonly Asked[]): Promise<void> {
    await Promise.all(asked.map((one) => this.bothSay(one)));
  }

  note(situation: string, asked: Asked, [theirs, ours]: readonly [Answer, Answer]): void {
    const lines = this.#comparison.compare(asked, theirs, ours);
    if (lines.length > 0) this.mistakes.push(`${situation}: ${describe(asked)}\n    ${lines.join("\n    ")}`);
  }

  /** Until no import works on the image any more, whichever node does. */
  async settled(imageId: string): Promise<void> {
    await eventually(
      `image ${imageId} settles`,
      async () => {
        const answer = await ask(this.fleet, "ours", { caller: "ops", method: "GET", path: `/v2/images/${imageId}` });
        if (answer.status === 404) return true;
        const { status, os_glance_import_task: lock } = json(answer);
        if (status === "importing" || lock !== undefined) return false;
        const tasks = await ask(this.fleet, "ours", {
          caller: "ops",
          method: "GET",
          path: `/v2/images/${imageId}/tasks`,
        });
        const list = (json(tasks).tasks ?? []) as readonly { readonly status: string }[];
        return list.every((task) => task.status === "success" || task.status === "failure");
      },
      { msMax: 120_000, everyMs: 50 },
    );
  }

  /** Until the task has ended. Returns the image it made, or null where it failed. */
  async taskDone(path: string): Promise<string | null> {
    return eventually<string | null>(
      `${path} ends`,
      async () => {
        const { status, result } = json(await ask(this.fleet, "ours", { caller: "ops", method: "GET", path }));
        if (status === "failure") return null;
        if (status !== "success") return false;
        const id = (result as { image_id?: string } | null)?.image_id ?? null;
        if (id !== null) this.images.push(id);
        return id;
      },
      { msMax: 120_000, everyMs: 50 },
    );
  }
}

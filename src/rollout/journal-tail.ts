// Follows the newest rollout of a fleet from outside: what its journal has gained since the last look, from the database, or from this
// folder's copy where the database has none of it or cannot be asked. What is damaged is told and left out; nothing is lost by it.
import { isServiceError } from "../core/errors.ts";
import type { Fleet } from "./fleet.ts";
import { findBreak, parseEntry } from "./journal-chain.ts";
import type { JournalEvent } from "./journal-event.ts";
import { compareStamps, parseRolloutId, readNewestText } from "./journal-file.ts";
import type { JournalStore } from "./journal-store.ts";

export type TailRead = {
  readonly rollout: string | null;
  /** All of them where `isNew`, else those that were added. */
  readonly entries: readonly JournalEvent[];
  /** Another rollout than before, or the same with another past. */
  readonly isNew: boolean;
  /** What is wrong with the journal by now, each a sentence. */
  readonly notes: readonly string[];
};

/** A newer rollout is looked for this often; between, only the one that is followed is read. */
const newestEveryMs = 3_000;

export class JournalTail {
  readonly #fleet: Pick<Fleet, "name" | "target" | "journal">;
  readonly #store: Pick<JournalStore, "list" | "read">;
  #rollout: string | null = null;
  #count = 0;
  #last = "";
  #broken: string | null = null;
  #newestMs = Number.NEGATIVE_INFINITY;

  constructor(fleet: Pick<Fleet, "name" | "target" | "journal">, store: Pick<JournalStore, "list" | "read">) {
    this.#fleet = fleet;
    this.#store = store;
  }

  /** Throws rollout.fleet_invalid where neither copy can be read. */
  async read(): Promise<TailRead> {
    try {
      return await this.#readStored();
    } catch (error) {
      if (!isServiceError(error)) throw error;
      return this.#readFiles();
    }
  }

  async #readStored(): Promise<TailRead> {
    if (performance.now() - this.#newestMs >= newestEveryMs) {
      const newest = this.#newestOf((await this.#store.list()).map(({ rolloutId }) => rolloutId));
      this.#newestMs = performance.now();
      if (newest === undefined) return this.#readFiles();
      if (newest !== this.#rollout) return this.#begin(newest, await this.#linesOf(newest));
    }
    if (this.#rollout === null) return this.#grow([]);
    // The last entry that is known comes along: another one in its place means another past.
    const [known, ...added] = await this.#linesOf(this.#rollout, this.#count - 1);
    if (known === undefined) return this.#readFiles();
    if (known === this.#last) return this.#grow(added);
    return this.#begin(this.#rollout, await this.#linesOf(this.#rollout));
  }

  async #linesOf(rollout: string, after?: number): Promise<readonly string[]> {
    return (await this.#store.read(rollout, after)).map(({ entry }) => entry);
  }

  async #readFiles(): Promise<TailRead> {
    const { journal, name, target } = this.#fleet;
    const newest = await readNewestText(journal, name, target);
    if (!newest || newest.lines.length === 0) return this.#grow([]);
    const { rolloutId, lines } = newest;
    const isSame = rolloutId === this.#rollout && lines[this.#count - 1] === this.#last;
    if (isSame) return this.#grow(lines.slice(this.#count));
    // The database knew a newer one, or more of this one.
    if (this.#rollout !== null && byStamp(rolloutId, this.#rollout) < 0) return this.#grow([]);
    if (rolloutId === this.#rollout && lines.length < this.#count) return this.#grow([]);
    return this.#begin(rolloutId, lines);
  }

  #begin(rollout: string, lines: readonly string[]): TailRead {
    this.#rollout = rollout;
    this.#count = 0;
    this.#last = "";
    this.#broken = null;
    return { ...this.#grow(lines), isNew: true };
  }

  #grow(lines: readonly string[]): TailRead {
    const rollout = this.#rollout;
    const known = this.#count > 0 ? { lines: this.#count, last: this.#last } : undefined;
    const broken = rollout !== null && this.#broken === null ? findBreak(rollout, lines, known) : null;
    if (broken) this.#broken = `The journal is not as it was written from entry ${broken.seq} on: ${broken.why}.`;
    this.#count += lines.length;
    this.#last = lines.at(-1) ?? this.#last;
    const entries = lines.flatMap((line) => parseEntry(line) ?? []);
    return { rollout, entries, isNew: false, notes: this.#broken === null ? [] : [this.#broken] };
  }

  #newestOf(ids: readonly string[]): string | undefined {
    const { name, target } = this.#fleet;
    const own = ids.filter((id) => {
      const parts = parseRolloutId(id);
      return parts?.fleet === name && parts.target === target;
    });
    return own.sort(byStamp).at(-1);
  }
}

function byStamp(one: string, other: string): number {
  return compareStamps(parseRolloutId(one)?.stamp ?? "", parseRolloutId(other)?.stamp ?? "");
}

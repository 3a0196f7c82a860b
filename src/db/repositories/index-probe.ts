// Which of our indexes exist: beside Glance's own nodes, before our first expand, there are none, and a hint at a missing one is an error.
import { isServiceError } from "../../core/errors.ts";
import type { Database } from "../database.ts";
import type { ListIndex } from "./list-indexes.ts";

/** While some are missing they are looked for again: an expand beside us may bring them at any time. */
const lookAgainAfterMs = 30_000;
/** A schema change takes several indexes away, one after the other. */
const attemptsMax = 4;

export type KnownIndexes = {
  has(index: ListIndex): boolean;
  /** Follows the table's name: empty where the index does not exist, or the database takes no hints. */
  hint(index: ListIndex): string;
};

type Known = { readonly names: ReadonlySet<string>; readonly lookAgainAtMs: number };

export class IndexProbe {
  readonly #db: Database;
  readonly #wanted: readonly ListIndex[];
  #known: Known | null = null;
  #looking: Promise<Known> | null = null;

  /** `wanted`: those that this release gives hints at. */
  constructor(db: Database, wanted: readonly ListIndex[]) {
    this.#db = db;
    this.#wanted = wanted;
  }

  /**
   * Runs `work`, telling it which indexes there are and how to hint at them; again with fresh knowledge where one went away under it.
   */
  async withHints<T>(work: (known: KnownIndexes) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const known = (attempt === 1 && this.#current()) || (await this.#look());
      try {
        return await work(this.#hintsOf(known));
      } catch (error) {
        if (attempt === attemptsMax || !isServiceError(error, "db.wrong_schema")) throw error;
      }
    }
  }

  #hintsOf({ names }: Known): KnownIndexes {
    const has = (index: ListIndex) => names.has(index.name);
    return { has, hint: (index) => (has(index) ? this.#db.dialect.useIndex(index.name) : "") };
  }

  /** Looking again goes on beside the request: what was known still holds, or fails and is asked for. */
  #current(): Known | null {
    if (this.#known && performance.now() > this.#known.lookAgainAtMs) {
      this.#known = { ...this.#known, lookAgainAtMs: performance.now() + lookAgainAfterMs };
      // A failure changes nothing; the next look is not far.
      this.#look().catch(() => undefined);
    }
    return this.#known;
  }

  #look(): Promise<Known> {
    this.#looking ??= this.#ask().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #ask(): Promise<Known> {
    const rows = await this.#db.query<{ name: string }>(this.#db.dialect.indexNamesSql);
    const names = new Set(rows.map((row) => row.name));
    const complete = this.#wanted.every((index) => names.has(index.name));
    this.#known = { names, lookAgainAtMs: complete ? Number.POSITIVE_INFINITY : performance.now() + lookAgainAfterMs };
    return this.#known;
  }
}

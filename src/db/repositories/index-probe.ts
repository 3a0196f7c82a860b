// Which of our indexes exist: beside Glance's own nodes, before our first expand, there are none, and a hint at a missing one is an error.
import { isServiceError } from "../../core/errors.ts";
import type { Database } from "../database.ts";
import { type ListIndex, listIndexes } from "./list-indexes.ts";

/** While some are missing they are looked for again: an expand beside us may bring them at any time. */
const lookAgainAfterMs = 30_000;

export class IndexProbe {
  readonly #db: Database;
  #known: Promise<ReadonlySet<string>> | null = null;
  #lookAgainAtMs = Number.POSITIVE_INFINITY;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Runs `work`, telling it which hints it may give; once more with fresh knowledge where an index went away under it.
   * `hint` follows the table's name: empty where the index does not exist.
   */
  async withHints<T>(work: (hint: (index: ListIndex) => string) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#hints());
    } catch (error) {
      if (!isServiceError(error, "db.wrong_schema")) throw error;
      this.#known = null;
      return await work(await this.#hints());
    }
  }

  async #hints(): Promise<(index: ListIndex) => string> {
    if (performance.now() > this.#lookAgainAtMs) this.#known = null;
    this.#known ??= this.#look();
    const known = await this.#known;
    return (index) => (known.has(index.name) ? this.#db.dialect.useIndex(index.name) : "");
  }

  async #look(): Promise<ReadonlySet<string>> {
    // Set before asking: whoever comes meanwhile waits for the same answer.
    this.#lookAgainAtMs = Number.POSITIVE_INFINITY;
    try {
      const rows = await this.#db.query<{ name: string }>(this.#db.dialect.indexNamesSql);
      const names = new Set(rows.map((row) => row.name));
      if (!listIndexes.every((index) => names.has(index.name)))
        this.#lookAgainAtMs = performance.now() + lookAgainAfterMs;
      return names;
    } catch (error) {
      this.#known = null;
      throw error;
    }
  }
}

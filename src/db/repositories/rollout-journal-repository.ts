// The journals of rollouts in the database: rows are added and read, never changed. Who adds must hold the lease in the same transaction.
import { isServiceError, ServiceError } from "../../core/errors.ts";
import type { Database } from "../database.ts";
import { presentTables } from "../schema/schema-tools.ts";
import { holdFence } from "./rollout-lease-repository.ts";

const table = "perennial_rollout_journal";
const pageRows = 500;

export type StoredEntry = { readonly seq: number; readonly hash: string; readonly entry: string };
export type StoredRollout = {
  readonly rolloutId: string;
  readonly entries: number;
  readonly first: string;
  readonly last: string;
};

export interface RolloutJournalRepository {
  /** Every rollout with its first and its last entry, oldest name first; none where the table is missing. */
  list(): Promise<readonly StoredRollout[]>;
  /** In order, those after entry `after` or all; none where the table is missing. */
  read(rolloutId: string, after?: number): Promise<readonly StoredEntry[]>;
  /**
   * Adds entries in one transaction, all or none; the same ones once more succeed. Throws rollout.lease_lost where the lease is not
   * `held`'s, and rollout.journal_broken where an entry of that number says something else.
   */
  add(
    rolloutId: string,
    entries: readonly StoredEntry[],
    held: { readonly holder: string; readonly fence: number },
  ): Promise<void>;
}

export function createRolloutJournalRepository(db: Database): RolloutJournalRepository {
  const isThere = async () => (await presentTables(db)).has(table);

  async function insert(...[rolloutId, entries, held]: Parameters<RolloutJournalRepository["add"]>): Promise<void> {
    await db.transaction(async (tx) => {
      await holdFence(db, tx, held);
      for (const { seq, hash, entry } of entries) {
        const [there] = await tx.query(`SELECT hash FROM ${table} WHERE rollout_id = ? AND seq = ?`, [rolloutId, seq]);
        if (there && String(there.hash) !== hash) throw otherEntry(rolloutId, seq);
        if (there) continue;
        await tx.run(`INSERT INTO ${table} (rollout_id, seq, hash, entry) VALUES (?, ?, ?, ?)`, [
          rolloutId,
          seq,
          hash,
          entry,
        ]);
      }
    });
  }

  return {
    async list() {
      if (!(await isThere())) return [];
      const rows = await db.query(
        `SELECT ends.rollout_id, ends.n, f.entry AS first_entry, l.entry AS last_entry FROM (SELECT rollout_id, COUNT(*) AS n, MIN(seq) AS low, MAX(seq) AS high FROM ${table} GROUP BY rollout_id) ends JOIN ${table} f ON f.rollout_id = ends.rollout_id AND f.seq = ends.low JOIN ${table} l ON l.rollout_id = ends.rollout_id AND l.seq = ends.high ORDER BY ends.rollout_id`,
      );
      return rows.map((row) => ({
        rolloutId: String(row.rollout_id),
        entries: Number(row.n),
        first: String(row.first_entry),
        last: String(row.last_entry),
      }));
    },

    async read(rolloutId, after = -1) {
      if (!(await isThere())) return [];
      const entries: StoredEntry[] = [];
      for (let page = pageRows, last = after; page === pageRows; ) {
        const rows = await db.query(
          `SELECT seq, hash, entry FROM ${table} WHERE rollout_id = ? AND seq > ? ORDER BY seq LIMIT ${pageRows}`,
          [rolloutId, last],
        );
        for (const row of rows)
          entries.push({ seq: Number(row.seq), hash: String(row.hash), entry: String(row.entry) });
        page = rows.length;
        last = entries.at(-1)?.seq ?? last;
      }
      return entries;
    },

    async add(rolloutId, entries, held) {
      if (entries.length === 0) return;
      try {
        await insert(rolloutId, entries, held);
      } catch (error) {
        // An insert that was given up earlier came through in between: looked at once more.
        if (!isServiceError(error, "db.duplicate")) throw error;
        await insert(rolloutId, entries, held);
      }
    },
  };
}

function otherEntry(rolloutId: string, seq: number): ServiceError {
  const message = `entry ${seq} of ${rolloutId} in the database says something else than the one on this disk; see glance-rollout report ${rolloutId}`;
  return new ServiceError("rollout.journal_broken", message, { facts: { rolloutId, seq } });
}

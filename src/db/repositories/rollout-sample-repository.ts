// What rollouts saw of their fleets over time, in the database: bodies by kind and number. Kinds and bodies are the rollout's; here they are
// kept, read, and thinned, so that a rollout of a day takes little more room than one of an hour.
import type { Database } from "../database.ts";
import { presentTables } from "../schema/schema-tools.ts";

const table = "perennial_rollout_samples";
/** Several rows of 64 KB at a time. */
const pageRows = 200;
/** A text column of MySQL holds 65,535 bytes. */
const partCharactersMax = 60_000;
const afterAllParts = 2 ** 31 - 1;

export type StoredSample = { readonly seq: number; readonly atMs: number; readonly body: string };

export interface RolloutSampleRepository {
  /** The highest number of this rollout's; 0 where there is none, and where the table is missing. */
  last(rolloutId: string): Promise<number>;
  /** `body` in ASCII. Throws db.duplicate where that number is taken. */
  add(rolloutId: string, kind: string, sample: StoredSample): Promise<void>;
  /** Of those up to number `upTo` only multiples of `step` are left. */
  thin(rolloutId: string, kind: string, upTo: number, step: number): Promise<void>;
  /** In order, those after number `after`; none where the table is missing. */
  read(rolloutId: string, kind: string, after?: number): Promise<readonly StoredSample[]>;
}

export function createRolloutSampleRepository(db: Database): RolloutSampleRepository {
  const isThere = async () => (await presentTables(db)).has(table);
  return {
    async last(rolloutId) {
      if (!(await isThere())) return 0;
      const [row] = await db.query(`SELECT MAX(seq) AS last_seq FROM ${table} WHERE rollout_id = ?`, [rolloutId]);
      return Number(row?.last_seq ?? 0);
    },

    async add(rolloutId, kind, { seq, atMs, body }) {
      // In one transaction, so that nobody reads a part of it.
      await db.transaction(async (tx) => {
        for (let part = 0; part * partCharactersMax < Math.max(1, body.length); part++) {
          const text = body.slice(part * partCharactersMax, (part + 1) * partCharactersMax);
          await tx.run(`INSERT INTO ${table} (rollout_id, kind, seq, part, at_ms, body) VALUES (?, ?, ?, ?, ?, ?)`, [
            rolloutId,
            kind,
            seq,
            part,
            atMs,
            text,
          ]);
        }
      });
    },

    async thin(rolloutId, kind, upTo, step) {
      await db.run(`DELETE FROM ${table} WHERE rollout_id = ? AND kind = ? AND seq <= ? AND seq % ? <> 0`, [
        rolloutId,
        kind,
        upTo,
        step,
      ]);
    },

    async read(rolloutId, kind, after = 0) {
      if (!(await isThere())) return [];
      const samples: StoredSample[] = [];
      for (let [page, seq, part] = [pageRows, after, afterAllParts]; page === pageRows; ) {
        const rows = await db.query(
          `SELECT seq, part, at_ms, body FROM ${table} WHERE rollout_id = ? AND kind = ? AND (seq > ? OR (seq = ? AND part > ?)) ORDER BY seq, part LIMIT ${pageRows}`,
          [rolloutId, kind, seq, seq, part],
        );
        for (const row of rows) {
          [seq, part] = [Number(row.seq), Number(row.part)];
          const before = samples.at(-1);
          if (before?.seq === seq) samples[samples.length - 1] = { ...before, body: before.body + String(row.body) };
          else samples.push({ seq, atMs: Number(row.at_ms), body: String(row.body) });
        }
        page = rows.length;
      }
      return samples;
    },
  };
}

// The plan that an operator looked at last, as text: what a rollout that begins compares the fleet with. One for a database.
import type { Database } from "../database.ts";
import { presentTables } from "../schema/schema-tools.ts";

const table = "perennial_rollout_plans";
const rowName = "rollout";
/** Characters of one row; as ASCII they fit the text column of every database. */
const partCharacters = 60_000;

export interface RolloutPlanRepository {
  /** Undefined where none is stored, or the table is missing. */
  find(): Promise<{ readonly planId: string; readonly body: string } | undefined>;
  /** Replaces the one before. `body` is ASCII. */
  store(planId: string, body: string): Promise<void>;
  /** Harmless where it is another plan by now. */
  remove(planId: string): Promise<void>;
}

export function createRolloutPlanRepository(db: Database): RolloutPlanRepository {
  return {
    async find() {
      if (!(await presentTables(db)).has(table)) return undefined;
      const rows = await db.query(`SELECT plan_id, body FROM ${table} WHERE name = ? ORDER BY part`, [rowName]);
      const [first] = rows;
      if (!first) return undefined;
      return { planId: String(first.plan_id), body: rows.map((row) => String(row.body)).join("") };
    },

    async store(planId, body) {
      await db.transaction(async (tx) => {
        await tx.run(`DELETE FROM ${table} WHERE name = ?`, [rowName]);
        for (let part = 0; part * partCharacters < body.length; part++) {
          const text = body.slice(part * partCharacters, (part + 1) * partCharacters);
          const values = [rowName, part, planId, text];
          await tx.run(`INSERT INTO ${table} (name, part, plan_id, body) VALUES (?, ?, ?, ?)`, values);
        }
      });
    },

    async remove(planId) {
      if ((await presentTables(db)).has(table)) await db.run(`DELETE FROM ${table} WHERE plan_id = ?`, [planId]);
    },
  };
}

// What an operator asks of the rollout of this database, from whichever host: one request at a time, standing until it is taken back.
import { randomUUID } from "node:crypto";
import { isServiceError } from "../../core/errors.ts";
import type { Database } from "../database.ts";
import { presentTables } from "../schema/schema-tools.ts";

const table = "perennial_rollout_requests";
const rowName = "rollout";
/** Rows that older versions of this package neither see nor touch. */
const notePrefix = "note ";

export type RolloutRequest = { readonly do: "pause" | "abort"; readonly told: string };

export interface RolloutRequestRepository {
  /** Undefined where nothing is asked, or the table is missing. */
  find(): Promise<RolloutRequest | undefined>;
  /** Replaces what was asked before. */
  ask(request: RolloutRequest): Promise<void>;
  /** Takes back a request of this kind; false where there is none. */
  takeBack(request: RolloutRequest["do"]): Promise<boolean>;
  /** Something for the rollout's journal, which only its run may write: it takes it over when it comes by. */
  leaveNote(text: string): Promise<void>;
  /** In the order in which they were left. */
  notes(): Promise<readonly RolloutNote[]>;
  /** Once it is in the journal. */
  removeNote(name: string): Promise<void>;
}

export type RolloutNote = { readonly name: string; readonly text: string };

export function createRolloutRequestRepository(db: Database): RolloutRequestRepository {
  const { nowSql } = db.dialect;
  return {
    async find() {
      if (!(await presentTables(db)).has(table)) return undefined;
      const [row] = await db.query(`SELECT request, told FROM ${table} WHERE name = ?`, [rowName]);
      if (!row) return undefined;
      return { do: row.request === "abort" ? "abort" : "pause", told: String(row.told) };
    },

    async ask({ do: request, told }) {
      const update = () =>
        db.run(`UPDATE ${table} SET request = ?, told = ?, asked_at = ${nowSql} WHERE name = ?`, [
          request,
          told,
          rowName,
        ]);
      if ((await update()).rowsAffected > 0) return;
      try {
        const values = [rowName, request, told];
        await db.run(`INSERT INTO ${table} (name, request, told, asked_at) VALUES (?, ?, ?, ${nowSql})`, values);
      } catch (error) {
        // Somebody else asked for something in this moment; the later one counts.
        if (!isServiceError(error, "db.duplicate")) throw error;
        await update();
      }
    },

    async takeBack(request) {
      if (!(await presentTables(db)).has(table)) return false;
      const { rowsAffected } = await db.run(`DELETE FROM ${table} WHERE name = ? AND request = ?`, [rowName, request]);
      return rowsAffected > 0;
    },

    async leaveNote(text) {
      // Names sort by time, and two of one moment are not the same.
      const name = `${notePrefix}${new Date().toISOString()} ${randomUUID().slice(0, 8)}`;
      const values = [name, "note", text.slice(0, 255)];
      await db.run(`INSERT INTO ${table} (name, request, told, asked_at) VALUES (?, ?, ?, ${nowSql})`, values);
    },

    async notes() {
      if (!(await presentTables(db)).has(table)) return [];
      const rows = await db.query(`SELECT name, told FROM ${table} WHERE request = ? ORDER BY name`, ["note"]);
      return rows.map((row) => ({ name: String(row.name), text: String(row.told) }));
    },

    async removeNote(name) {
      await db.run(`DELETE FROM ${table} WHERE name = ? AND request = ?`, [name, "note"]);
    },
  };
}

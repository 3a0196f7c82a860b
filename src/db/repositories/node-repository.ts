// The fleet's registry (perennial_nodes): who serves what from this database. Ages are told by the database's clock.

import { isServiceError } from "../../core/errors.ts";
import type { Database, SqlValue } from "../database.ts";

export type NodeRow = {
  readonly name: string;
  /** `host:port`. */
  readonly address: string;
  /** A node of a newer package may speak a release that our catalogue lacks. */
  readonly release: string;
  readonly packageVersion: string;
  readonly pid: number;
  /**
   * `handed-over`: another process answers all requests by now, and this one finishes uploads and imports, that is: it still writes.
   * `sending`: the same, and all that is left are answers on their way out; it needs the database no more.
   */
  readonly state: "starting" | "serving" | "draining" | "handed-over" | "sending" | "stopped";
  readonly transfers: {
    readonly uploads: number;
    readonly downloads: number;
    readonly bytesLeft: number | null;
    readonly etaSeconds: number | null;
  };
  readonly p99Ms: number | null;
};

export type SeenNode = { readonly record: NodeRow; readonly silentSeconds: number };

export interface NodeRepository {
  find(name: string): Promise<SeenNode | undefined>;
  /** By name; those that have stopped too. */
  list(): Promise<readonly SeenNode[]>;
  /**
   * Writes the row with a fresh start time where the name is free, or where its row still is `previous`'s (same pid and address).
   * False where another node was quicker.
   */
  claim(record: NodeRow, previous: NodeRow | undefined): Promise<boolean>;
  /** Renews the row and its heartbeat; false where there is no row of that name, pid and address. */
  beat(record: NodeRow): Promise<boolean>;
  /** For a node that died without a word: its row no longer counts as alive. False where there is none. */
  markStopped(name: string): Promise<boolean>;
  /** Removes a process's own row; harmless where it is another's by now. */
  drop(record: Pick<NodeRow, "name" | "pid" | "address">): Promise<void>;
  /** False where there is none. */
  remove(name: string): Promise<boolean>;
}

/**
 * The row of a process that serves a node beside the one that has its name: one that is about to take over, or has handed over. Nobody's
 * choice of a name: `~` and a process id.
 */
export function besideName(name: string, pid: number): string {
  return `${name}~${pid}`;
}

/** The node a row of such a process belongs to; undefined where it is a node's own. */
export function nodeBesides(rowName: string): string | undefined {
  return /^(.+)~\d+$/.exec(rowName)?.[1];
}

const columns =
  "name, address, release_id, package_version, pid, state, uploads, downloads, bytes_left, eta_seconds, p99_ms";

export function createNodeRepository(db: Database): NodeRepository {
  const { nowSql, secondsSinceSql } = db.dialect;
  const select = `select ${columns}, ${secondsSinceSql("heartbeat_at")} as silent_seconds from perennial_nodes`;
  const assign =
    "release_id = ?, package_version = ?, state = ?, uploads = ?, downloads = ?, bytes_left = ?, eta_seconds = ?, p99_ms = ?";

  return {
    async find(name) {
      const [row] = await db.query(`${select} where name = ?`, [name]);
      return row && read(row);
    },

    async list() {
      return (await db.query(`${select} order by name`)).map(read);
    },

    async claim(record, previous) {
      if (previous) {
        const { rowsAffected } = await db.run(
          `update perennial_nodes set address = ?, pid = ?, ${assign}, started_at = ${nowSql}, heartbeat_at = ${nowSql} where name = ? and pid = ? and address = ?`,
          [record.address, record.pid, ...changing(record), record.name, previous.pid, previous.address],
        );
        return rowsAffected > 0;
      }
      try {
        await db.run(
          `insert into perennial_nodes (name, address, pid, release_id, package_version, state, uploads, downloads, bytes_left, eta_seconds, p99_ms, started_at, heartbeat_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ${nowSql}, ${nowSql})`,
          [record.name, record.address, record.pid, ...changing(record)],
        );
        return true;
      } catch (error) {
        if (isServiceError(error, "db.duplicate")) return false;
        throw error;
      }
    },

    async beat(record) {
      const { rowsAffected } = await db.run(
        `update perennial_nodes set ${assign}, heartbeat_at = ${nowSql} where name = ? and pid = ? and address = ?`,
        [...changing(record), record.name, record.pid, record.address],
      );
      return rowsAffected > 0;
    },

    async markStopped(name) {
      return (await db.run("update perennial_nodes set state = 'stopped' where name = ?", [name])).rowsAffected > 0;
    },

    async drop({ name, pid, address }) {
      await db.run("delete from perennial_nodes where name = ? and pid = ? and address = ?", [name, pid, address]);
    },

    async remove(name) {
      return (await db.run("delete from perennial_nodes where name = ?", [name])).rowsAffected > 0;
    },
  };
}

/** In the order of `assign`. */
function changing({ release, packageVersion, state, transfers, p99Ms }: NodeRow): SqlValue[] {
  const { uploads, downloads, bytesLeft, etaSeconds } = transfers;
  return [release, packageVersion, state, uploads, downloads, bytesLeft, etaSeconds, p99Ms];
}

function read(row: Record<string, unknown>): SeenNode {
  const numberOrNull = (value: unknown) => (value === null ? null : Number(value));
  return {
    silentSeconds: Math.max(0, Number(row.silent_seconds)),
    record: {
      name: String(row.name),
      address: String(row.address),
      release: String(row.release_id),
      packageVersion: String(row.package_version),
      pid: Number(row.pid),
      state: row.state as NodeRow["state"],
      transfers: {
        uploads: Number(row.uploads),
        downloads: Number(row.downloads),
        bytesLeft: numberOrNull(row.bytes_left),
        etaSeconds: numberOrNull(row.eta_seconds),
      },
      p99Ms: numberOrNull(row.p99_ms),
    },
  };
}

// Which server this is, and what each kind of ALTER TABLE costs there: known before anything is touched.
import type { Queryable } from "../../database.ts";
import type { Cost } from "../cost.ts";
import type { AlterKind } from "../step.ts";

export type Algorithm = "INSTANT" | "NOCOPY" | "INPLACE" | "COPY";

export type MysqlServer = {
  readonly flavor: "mariadb" | "mysql";
  readonly version: readonly [major: number, minor: number, patch: number];
  /** As the server says it. */
  readonly text: string;
};

/** `10.11.19-MariaDB-0+deb12u1`, `5.5.5-10.11.19-MariaDB` (as shown to old clients), `8.0.36-0ubuntu0.22.04.1`. */
export function parseServerVersion(text: string): MysqlServer {
  const flavor = /mariadb/i.test(text) ? "mariadb" : "mysql";
  const plain = flavor === "mariadb" ? text.replace(/^5\.5\.5-/, "") : text;
  const [, major = "0", minor = "0", patch = "0"] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(plain) ?? [];
  return { flavor, version: [Number(major), Number(minor), Number(patch)], text };
}

export async function readServer(db: Queryable): Promise<MysqlServer> {
  const [row] = await db.query<{ version: string }>("SELECT VERSION() AS version");
  return parseServerVersion(row?.version ?? "");
}

/** Whether the server is at least this version of its own flavor. */
export function isAtLeast(server: MysqlServer, mariadb: readonly number[], mysql: readonly number[]): boolean {
  const wanted = server.flavor === "mariadb" ? mariadb : mysql;
  for (const [index, part] of server.version.entries()) {
    const difference = part - (wanted[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** MySQL 8.0.29 to 8.0.31 could damage tables whose columns were added or dropped instantly. */
export function hasFaultyInstantColumns(server: MysqlServer): boolean {
  const [major, minor, patch] = server.version;
  return server.flavor === "mysql" && major === 8 && minor === 0 && patch >= 29 && patch <= 31;
}

/** A version no server of the other flavor has. */
export const never: readonly number[] = [Number.POSITIVE_INFINITY];

/** In the order they are tried. COPY blocks writers for the whole of the statement, so only an operator may ask for it. */
export function algorithmsFor(server: MysqlServer, kind: AlterKind, allowCopy: boolean): readonly Algorithm[] {
  const found: Algorithm[] = [];
  const instantIsSafe = !(hasFaultyInstantColumns(server) && (kind === "add_column" || kind === "drop_column"));
  if (isAtLeast(server, [10, 3], [8, 0, 12]) && instantIsSafe) found.push("INSTANT");
  if (isAtLeast(server, [10, 3], never)) found.push("NOCOPY");
  if (isAtLeast(server, [10, 0], [5, 6])) found.push("INPLACE");
  if (allowCopy) found.push("COPY");
  return found;
}

/** Whether a column can be replaced by another in a moment: instant DROP COLUMN, RENAME INDEX, SKIP LOCKED, several triggers. */
export function canSwitchColumns(server: MysqlServer): boolean {
  return isAtLeast(server, [10, 6], never);
}

/** What the change will cost here, at best. */
export function costOf(server: MysqlServer, kind: AlterKind): Cost {
  if (!isAtLeast(server, [10, 0], [5, 6]))
    return kind === "set_default" || kind === "drop_default" ? "instant" : "copy";
  const faulty = hasFaultyInstantColumns(server);
  switch (kind) {
    case "set_default":
    case "drop_default":
    case "drop_index":
    case "drop_check":
      return "instant";
    case "add_index":
      return "index_build";
    case "require_column":
      return "rebuild";
    case "add_column":
      return isAtLeast(server, [10, 3], [8, 0, 12]) && !faulty ? "instant" : "rebuild";
    case "drop_column":
      return isAtLeast(server, [10, 4], [8, 0, 29]) && !faulty ? "instant" : "rebuild";
  }
}

/** Whether this is a node of a Galera cluster. */
export async function isCluster(db: Queryable): Promise<boolean> {
  const [row] = await db.query<{ Value: string }>("SHOW GLOBAL VARIABLES LIKE 'wsrep_on'");
  return row?.Value === "ON";
}

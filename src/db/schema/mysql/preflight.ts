// What MySQL and MariaDB must allow and have before a phase: version, privileges, triggers under binary logging, room on the disk.
import { statfs } from "node:fs/promises";
import { hostname } from "node:os";
import type { Queryable } from "../../database.ts";
import { describeBlocker } from "../blocker.ts";
import type { Findings, PreflightPhase } from "../findings.ts";
import { longTransactions } from "./blockers.ts";
import { type Grants, hasGlobal, missingPrivileges, readGrants } from "./grants.ts";
import { hasFaultyInstantColumns, isAtLeast, isCluster, type MysqlServer, readServer } from "./server.ts";

const always = ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "REFERENCES"];
/** What a data migration writes, and its checkpoints. */
const forRows = ["SELECT", "INSERT", "UPDATE", "DELETE"];
/** `db sync` leaves out what serves a fleet at work: triggers, and the switch of columns, which needs triggers and a lock. */
const neededBy: Record<PreflightPhase, readonly string[]> = {
  expand: [...always, "TRIGGER"],
  migrate: forRows,
  contract: [...always, "TRIGGER", "LOCK TABLES"],
  sync: always,
};

export async function mysqlPreflight(db: Queryable, phase: PreflightPhase): Promise<Findings> {
  const server = await readServer(db);
  const problems: string[] = [];
  const notes: string[] = [];
  if (!isAtLeast(server, [5, 5], [5, 5])) problems.push(`server ${server.text} is too old, 5.5 or newer is needed`);
  if (hasFaultyInstantColumns(server))
    notes.push(
      `MySQL ${server.text} can damage tables by instant column changes, so they are rebuilt in place; 8.0.32 or newer is better`,
    );
  const grants = await readGrants(db);
  const missing = missingPrivileges(grants, neededBy[phase]);
  if (missing.length > 0)
    problems.push(`user ${grants.user} lacks ${missing.join(", ")} on database ${grants.database}`);
  else if (phase === "expand" || phase === "contract") problems.push(...(await triggerProblems(db, server, grants)));
  problems.push(...(await readOnlyProblems(db, grants)));
  if (phase === "migrate") return { problems, notes: [] };
  if (!hasGlobal(grants, "PROCESS"))
    notes.push(`user ${grants.user} lacks PROCESS: who holds up a schema change cannot be told`);
  notes.push(...(await longOnes(db)), ...(await cluster(db)));
  problems.push(...(phase === "expand" ? [] : await diskProblems(db)));
  return { problems, notes };
}

/** With binary logging a trigger needs more than TRIGGER, unless the server trusts its users. */
async function triggerProblems(db: Queryable, server: MysqlServer, grants: Grants) {
  const [row] = await db.query<{ log: number | string; trust: number | string }>(
    "SELECT @@log_bin AS log, @@log_bin_trust_function_creators AS trust",
  );
  if (Number(row?.log) === 0 || Number(row?.trust) === 1) return [];
  const enough = server.flavor === "mariadb" ? ["SUPER", "BINLOG ADMIN"] : ["SUPER"];
  if (enough.some((privilege) => hasGlobal(grants, privilege))) return [];
  return [
    `the server writes a binary log and user ${grants.user} lacks ${enough.join(" or ")}, so it may create no triggers: ` +
      "SET GLOBAL log_bin_trust_function_creators = 1, or grant it",
  ];
}

/** A replica, or a primary that was locked: the first write would fail, and be tried again for as long as a lost connection is. */
async function readOnlyProblems(db: Queryable, grants: Grants): Promise<readonly string[]> {
  const rows = await db.query<{ Variable_name: string; Value: string }>(
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'super_read_only')",
  );
  const locked = rows.filter(({ Value }) => Value !== "OFF").map(({ Variable_name }) => Variable_name.toLowerCase());
  const exempt = ["SUPER", "READ_ONLY ADMIN", "CONNECTION_ADMIN"].some((privilege) => hasGlobal(grants, privilege));
  if (locked.length === 0 || (exempt && !locked.includes("super_read_only"))) return [];
  return [`the server is read-only (${locked.join(", ")}): run this on the primary, or unlock it`];
}

async function longOnes(db: Queryable): Promise<readonly string[]> {
  const found = (await longTransactions(db, 5, [])) ?? [];
  return found
    .slice(0, 3)
    .map((blocker) => `a transaction is open for long and may hold up this phase: ${describeBlocker(blocker)}`);
}

async function cluster(db: Queryable): Promise<readonly string[]> {
  if (!(await isCluster(db))) return [];
  return [
    "this is a Galera cluster: a table rebuild holds up the whole cluster for as long as it takes (wsrep_OSU_method=TOI)",
  ];
}

/** A rebuild needs room for the table once more. Knowable where the server runs on this machine. */
async function diskProblems(db: Queryable): Promise<readonly string[]> {
  const [row] = await db.query<{ bytes: number | null; folder: string; host: string }>(
    `SELECT (SELECT data_length + index_length FROM information_schema.tables
      WHERE table_schema = DATABASE() AND table_name = 'images') AS bytes, @@datadir AS folder, @@hostname AS host`,
  );
  if (!row?.bytes || row.host !== hostname()) return [];
  const disk = await statfs(row.folder).catch(() => undefined); // Another machine of the same name, or a container.
  if (!disk) return [];
  const wantedMb = Math.ceil((Number(row.bytes) * 1.2) / 2 ** 20);
  const freeMb = Math.floor((disk.bavail * disk.bsize) / 2 ** 20);
  return freeMb >= wantedMb
    ? []
    : [`${row.folder} has ${freeMb} MB free, rebuilding table images needs about ${wantedMb} MB`];
}

// What a phase needs of PostgreSQL, asked before anything is touched: version, a server that takes changes, the schema and its owner,
// a connection of our own. And what is worth knowing: who may hold it up, and who has to follow.
import type { Database, Queryable } from "../../database.ts";
import { describeBlocker } from "../blocker.ts";
import type { Findings, PreflightPhase } from "../findings.ts";
import { BlockerWatch } from "./blockers.ts";
import { isOurTable } from "./introspect.ts";
import { majorMin, type PostgresqlServer, readServer, takesProofs } from "./server.ts";

const namesMax = 3;

/** `longSeconds`: transactions of this age are told. */
export async function postgresqlPreflight(db: Database, phase: PreflightPhase, longSeconds = 5): Promise<Findings> {
  const server = await readServer(db);
  const always = [...versionProblems(server), ...(await readOnlyProblems(db))];
  // Rows are written by who may write them, whoever owns their table, and through a pooler as well.
  if (phase === "migrate") return { problems: always, notes: [] };
  const problems = [
    ...always,
    ...(await schemaProblems(db, phase)),
    ...(await ownerProblems(db)),
    ...(await poolerProblems(db)),
  ];
  const notes = [
    ...versionNotes(server, phase),
    ...(await ownerNotes(db)),
    ...(await longTransactions(db, longSeconds)),
    ...(await preparedTransactions(db)),
    ...(await followers(db)),
  ];
  return { problems, notes };
}

function versionProblems({ major, text }: PostgresqlServer): readonly string[] {
  if (major >= majorMin) return [];
  return [
    `server ${text} is too old, ${majorMin} or newer is needed: before it a new column with a default rebuilds its table while everybody waits`,
  ];
}

function versionNotes(server: PostgresqlServer, phase: PreflightPhase): readonly string[] {
  if (takesProofs(server) || phase === "expand") return [];
  return [
    `server ${server.text} reads a whole table while everybody waits when a column becomes NOT NULL; 12 or newer does not`,
  ];
}

async function readOnlyProblems(db: Queryable): Promise<readonly string[]> {
  const [row] = await db.query<{ standby: boolean; locked: string }>(
    "SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') AS locked",
  );
  if (row?.standby === true) return ["this server is a standby, which takes no changes: connect to the primary"];
  if (row?.locked !== "on") return [];
  return [
    "transactions are read-only here (default_transaction_read_only, set for the server, the database or the role): set it off",
  ];
}

type Home = { schema: string | null; user: string; create: boolean; language: boolean; elsewhere: string | null };

/** Where unqualified names lead, and whether something may be made there. */
async function schemaProblems(db: Queryable, phase: PreflightPhase): Promise<readonly string[]> {
  const [home] = await db.query<Home>(
    `SELECT current_schema() AS schema, current_user AS "user",
       COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false) AS create,
       EXISTS (SELECT 1 FROM pg_language WHERE lanname = 'plpgsql' AND has_language_privilege(oid, 'USAGE')) AS language,
       (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = to_regclass('images') AND n.nspname <> current_schema()) AS elsewhere`,
  );
  if (home === undefined) return [];
  if (home.schema === null)
    return [
      `no schema of the search_path of ${home.user} exists, so no table can be made: set search_path, e.g. to public`,
    ];
  const problems: string[] = [];
  if (home.elsewhere !== null)
    problems.push(
      `table images is in schema ${home.elsewhere}, and new tables of ${home.user} would be made in schema ${home.schema}: ` +
        `put ${home.elsewhere} first, ALTER ROLE ${home.user} SET search_path = ${home.elsewhere}`,
    );
  if (!home.create)
    problems.push(
      `user ${home.user} may make nothing in schema ${home.schema}: GRANT CREATE ON SCHEMA ${home.schema} TO ${home.user}`,
    );
  if (!home.language && phase === "expand")
    problems.push(
      `user ${home.user} may not use the language plpgsql, in which triggers are written: CREATE EXTENSION plpgsql`,
    );
  return problems;
}

/** Tables, and what triggers are made of. Those of extensions are no business of ours. */
const ownedSql = `SELECT owner, name FROM (
    SELECT c.relowner AS owner, 'table ' || c.relname AS name, c.oid FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${isOurTable}
    UNION ALL SELECT proowner, 'function ' || proname, oid FROM pg_proc
    WHERE proname LIKE 'perennial\\_%' AND pg_function_is_visible(oid)
    UNION ALL SELECT typowner, 'type ' || typname, oid FROM pg_type WHERE oid = to_regtype('image_visibility')
  ) owned WHERE NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = owned.oid AND d.deptype = 'e')`;

/** What changes or drops something is its owner's alone, whatever is granted. */
async function ownerProblems(db: Queryable): Promise<readonly string[]> {
  const rows = await db.query<{ owner: string; user: string; n: number; some: string }>(
    `SELECT pg_get_userbyid(owner) AS owner, current_user AS "user", COUNT(*) AS n, MIN(name) AS some
     FROM (${ownedSql}) owned WHERE NOT pg_has_role(owner, 'USAGE') GROUP BY 1, 2 ORDER BY 1`,
  );
  return rows.map(
    ({ owner, user, n, some }) =>
      `role ${owner} owns ${n} objects, such as ${some}, and only their owner may change them: ` +
      `connect as ${owner}, or GRANT ${owner} TO ${user}`,
  );
}

/** New tables belong to whoever makes them; nodes of another role then find a table that they may not read. */
async function ownerNotes(db: Queryable): Promise<readonly string[]> {
  const [row] = await db.query<{ owner: string; user: string }>(
    `SELECT pg_get_userbyid(relowner) AS owner, current_user AS "user" FROM pg_class
     WHERE oid = to_regclass('images') AND pg_get_userbyid(relowner) <> current_user`,
  );
  if (row === undefined) return [];
  return [
    `table images belongs to role ${row.owner}, and what is made now will belong to ${row.user}: connect as ${row.owner}, or grant the nodes' role what they need`,
  ];
}

/** Behind a pooler that hands connections around, session settings and session locks are somebody else's a moment later. */
async function poolerProblems(db: Database): Promise<readonly string[]> {
  return db.session(async (session) => {
    await session.run("SET perennial.own = 'yes'");
    const ids = new Set<number | null>([session.connectionId]);
    for (let turn = 0; turn < 3; turn++) {
      const [row] = await session.query<{ pid: number; own: string | null }>(
        "SELECT pg_backend_pid() AS pid, current_setting('perennial.own', true) AS own",
      );
      ids.add(row?.own === "yes" ? row.pid : null);
    }
    if (ids.size === 1) return [];
    return [
      "a pooler stands between us and the server and gives each transaction another connection: connect to the server itself for schema changes",
    ];
  });
}

async function longTransactions(db: Database, longSeconds: number): Promise<readonly string[]> {
  const found = await db.session(async (session) => {
    const watch = new BlockerWatch(session);
    return watch.openTransactions([session.connectionId]);
  });
  return found
    .filter((one) => one.seconds >= longSeconds && one.kind === "process")
    .slice(0, namesMax)
    .map((blocker) => `a transaction is open for long and may hold up this phase: ${describeBlocker(blocker)}`);
}

/** They keep their locks over restarts, until somebody ends them by name. */
async function preparedTransactions(db: Queryable): Promise<readonly string[]> {
  const rows = await db.query<{ gid: string; owner: string; seconds: number }>(
    `SELECT gid, owner, EXTRACT(EPOCH FROM clock_timestamp() - prepared)::float8 AS seconds
     FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared LIMIT ${namesMax}`,
  );
  return rows.map(
    ({ gid, owner, seconds }) =>
      `prepared transaction ${gid} of ${owner} is open for ${Math.floor(seconds)} s and may hold up this phase: COMMIT PREPARED or ROLLBACK PREPARED ends it`,
  );
}

async function followers(db: Queryable): Promise<readonly string[]> {
  const slots = await db.query<{ name: string }>(
    "SELECT slot_name AS name FROM pg_replication_slots WHERE slot_type = 'logical' AND database = current_database() ORDER BY 1",
  );
  const [standbys] = await db.query<{ n: number; feedback: number }>(
    `SELECT COUNT(*) AS n, COUNT(backend_xmin) AS feedback FROM pg_stat_replication
     WHERE state IS NOT NULL AND pid NOT IN (SELECT active_pid FROM pg_replication_slots WHERE slot_type = 'logical' AND active)`,
  );
  const notes: string[] = [];
  if (slots.length > 0)
    notes.push(
      `logical replication (${slots.map(({ name }) => name).join(", ")}) copies rows but no schema changes: make them at the subscriber first`,
    );
  if (Number(standbys?.n ?? 0) > 0)
    notes.push(
      `${standbys?.n} standbys follow: there each schema change waits for queries, and others behind it, for up to max_standby_streaming_delay` +
        (Number(standbys?.feedback) > 0
          ? "; by hot_standby_feedback their queries also hold back the cleaning of rows"
          : ""),
    );
  return notes;
}

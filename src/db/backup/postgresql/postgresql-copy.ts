// Backs up PostgreSQL with pg_dump: one snapshot of the schema that our tables lie in, as SQL, compressed; and loads such a file with psql,
// in one transaction.
import { PassThrough, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { restoreMarkerTable } from "../../schema/restore-marker.ts";
import type { PostgresqlUrl } from "../../url.ts";
import { type ClientCommand, runClient } from "../client-program.ts";
import { readCompressed, writeCompressed } from "../compressed-file.ts";
import type { CopySource, DatabaseCopy, Pass } from "../database-copy.ts";
import { type DumpClause, filterDump } from "../dump-filter.ts";
import { replaceMarked } from "../server-restore.ts";
import { createScratches } from "../server-scratch.ts";
import { findPgProgram, pgEnvironment, pgPassFile, translatePgWords } from "./pg-client.ts";
import { PgDumpReader } from "./pg-dump-reader.ts";

/** What belongs to the roles and settings of one server stays there. A schema change under way is waited for that long, then it fails. */
const dumpArgs = [
  "--no-password",
  "--format=plain",
  "--encoding=UTF8",
  "--no-owner",
  "--no-privileges",
  "--no-tablespaces",
  "--no-comments",
  "--no-publications",
  "--no-subscriptions",
  "--no-security-labels",
  "--lock-wait-timeout=10000",
];
const loadArgs = ["--no-password", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"];

const portable: readonly DumpClause[] = [
  // The schema stands already where tables are restored to.
  { begin: "\nCREATE SCHEMA ", clause: /^\nCREATE SCHEMA ("(?:[^"]|"")+"|[^"\s;]+);(?=\n)/, instead: "\n" },
  // Newer programs say so to older servers, which do not know it.
  { begin: "\nSET transaction_timeout = 0;", clause: /^\nSET transaction_timeout = 0;(?=\n)/, instead: "\n" },
];

export function createPostgresqlCopy({ db, url }: CopySource<PostgresqlUrl>): DatabaseCopy {
  const command = (program: string, args: readonly string[], database: string, { signal }: Pass): ClientCommand => ({
    program,
    args,
    secret: pgPassFile(url),
    env: pgEnvironment(url, database),
    translate: translatePgWords,
    signal,
  });

  async function readServer() {
    const [row] = await db.query<{ text: string; num: string; schema: string | null }>(
      "SELECT current_setting('server_version') AS text, current_setting('server_version_num') AS num, current_schema() AS schema",
    );
    const major = Math.floor(Number(row?.num ?? 0) / 10_000);
    return { text: `PostgreSQL ${row?.text}`, major, schema: row?.schema ?? "public" };
  }

  /** A client that loses us gets no COMMIT, so nothing of what it did stays. */
  async function load(database: string, path: string, pass: Pass, before: string): Promise<void> {
    const { major, schema } = await readServer();
    const program = await findPgProgram("psql", major);
    const made = schema === "public" ? "" : `CREATE SCHEMA IF NOT EXISTS ${db.dialect.quote(schema)};\n`;
    await runClient(command(program.path, loadArgs, database, pass), async (child) => {
      child.stdout.resume();
      const framed = new Transform({
        transform: (chunk, _encoding, done) => done(null, chunk),
        flush: (done) => done(null, "\nCOMMIT;\n"),
      });
      framed.write(`BEGIN;\n${made}${before}`);
      const feeding = pipeline(framed, child.stdin, { signal: pass.signal });
      await Promise.all([readCompressed(path, pass, undefined, framed), feeding]);
    });
  }

  const scratches = createScratches(
    { db, url },
    {
      listSql: "SELECT datname AS name FROM pg_database WHERE datname LIKE ?",
      async createSql(name) {
        const [row] = await db.query<{ e: string; c: string; t: string }>(
          "SELECT pg_encoding_to_char(encoding) AS e, datcollate AS c, datctype AS t FROM pg_database WHERE datname = current_database()",
        );
        const text = (value: string | undefined) => `'${(value ?? "").replaceAll("'", "''")}'`;
        const locale = `ENCODING ${text(row?.e)} LC_COLLATE ${text(row?.c)} LC_CTYPE ${text(row?.t)}`;
        return `CREATE DATABASE ${db.dialect.quote(name)} TEMPLATE template0 ${locale}`;
      },
      // A client that outlived its run for a moment would be in the way.
      dropSql: (name) => [
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}' AND usename = current_user`,
        `DROP DATABASE IF EXISTS ${db.dialect.quote(name)}`,
      ],
      at: (database) => ({ ...url, database }),
      load: (database, path, pass) => load(database, path, pass, ""),
    },
  );

  return {
    ending: ".sql.zst",

    async about() {
      const { text, major } = await readServer();
      return { server: text, program: (await findPgProgram("pg_dump", major)).version };
    },

    async plainBytes() {
      const [row] = await db.query<{ bytes: string | number | null }>(
        `SELECT SUM(pg_table_size(c.oid)) AS bytes FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND n.nspname = current_schema()`,
      );
      return Number(row?.bytes ?? 0);
    },

    // As text the data is smaller than in the tables; compressed it was never above a half.
    bytesNeeded: (plainBytes) => Math.ceil(plainBytes / 2),

    async write(path, pass) {
      const { major, schema } = await readServer();
      const reader = new PgDumpReader();
      const program = await findPgProgram("pg_dump", major);
      const args = [...dumpArgs, `--schema="${schema.replaceAll('"', '""')}"`];
      const written = await runClient(command(program.path, args, url.database, pass), async (child) => {
        child.stdin.end();
        const cleaned = new PassThrough();
        const cleaning = pipeline(child.stdout, filterDump(portable), cleaned, { signal: pass.signal });
        const writing = writeCompressed(cleaned, path, pass, (chunk) => reader.push(chunk));
        const [facts] = await Promise.all([writing, cleaning]);
        return facts;
      });
      if (!reader.complete) throw new Error("pg_dump ended well, but its output has no end");
      return { ...written, rows: reader.rows };
    },

    async read(path, pass) {
      const reader = new PgDumpReader();
      const read = await readCompressed(path, pass, (chunk) => reader.push(chunk));
      if (!reader.complete) throw new Error("read back, the dump has no end");
      return { ...read, rows: reader.rows };
    },

    withScratch: scratches.withScratch,

    removeLeftovers: () => scratches.removeLeftovers({ secondsMin: 0 }),

    replace: (path, pass, options) =>
      replaceMarked(db, options, {
        atomic: true,
        clear: async (session) => {
          await session.run(clearSql);
        },
        load: () => load(url.database, path, pass, clearSql),
      }),

    byHand: (file) => `zstd -dc ${file} | psql --single-transaction --set=ON_ERROR_STOP=1 ${url.database}`,
  };
}

/** Everything of the schema but the marker, and but what extensions brought. Named before anything goes: what went has no name any more. */
const clearSql = `DO $perennial$
DECLARE statement text;
BEGIN
  FOREACH statement IN ARRAY ARRAY(
    SELECT format('DROP %s IF EXISTS %s CASCADE', one.kind, one.name) FROM (
      SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
          WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS kind, c.oid::regclass::text AS name, 'pg_class'::regclass AS of, c.oid AS id
        FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
          AND c.relname <> '${restoreMarkerTable}'
      UNION ALL
      SELECT 'TYPE', t.oid::regtype::text, 'pg_type'::regclass, t.oid FROM pg_type t
        WHERE t.typnamespace = current_schema()::regnamespace AND t.typtype = 'e'
      UNION ALL
      SELECT 'FUNCTION', p.oid::regprocedure::text, 'pg_proc'::regclass, p.oid FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace AND p.prokind = 'f'
    ) one
    WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = one.of AND d.objid = one.id AND d.deptype = 'e'))
  LOOP
    EXECUTE statement;
  END LOOP;
END
$perennial$;
`;

// alembic_version, kept exactly as the reference keeps it: which revisions the database shows, what they mean in our catalogue, and
// which rows stand there after each phase. A contract revision absorbs the expand revision it depends on (database.md, 3.1).
import { ServiceError } from "../../core/errors.ts";
import { type Release, type ReleaseId, releases } from "../../releases/catalogue.ts";
import type { Database, Queryable } from "../database.ts";
import { createTableSql, type TableDefinition } from "./table-definition.ts";

const alembicVersion: TableDefinition = {
  name: "alembic_version",
  columns: [["version_num", "varchar(32)", "required"]],
  primaryKey: ["version_num"],
};

/** Before Alembic: the number in migrate_version, and the revision that stands for it. */
const legacyRevisions: Readonly<Record<number, string>> = {
  42: "liberty",
  43: "mitaka01",
  44: "mitaka02",
  45: "ocata01",
};

/** Revisions before the catalogue's first release: its `create` steps bring such a database up to it. */
const earlyRevisions: ReadonlySet<string> = new Set(["liberty", "mitaka01"]);

/** What Ocata's own one-piece `db sync` wrote; the same schema as the contract revision. */
const aliases: Readonly<Record<string, string>> = { ocata01: "ocata_contract01" };

/** Where a database stands between the releases. */
export type Standing = {
  /** Rows of alembic_version, or the revision that a legacy migrate_version stands for; sorted. */
  readonly heads: readonly string[];
  /** The heads are read from migrate_version; alembic_version is not there yet. */
  readonly legacy: boolean;
  /** The newest release whose contract is done, and whose expand is done; null below the catalogue (empty, or liberty, mitaka01). */
  readonly contracted: Release | null;
  readonly expanded: Release | null;
};

type KnownTables = { hasTable(name: string): boolean };

export async function readHeads(db: Queryable, schema: KnownTables): Promise<Pick<Standing, "heads" | "legacy">> {
  if (schema.hasTable("alembic_version")) {
    const rows = await db.query<{ version_num: string }>(
      "SELECT version_num FROM alembic_version ORDER BY version_num",
    );
    if (rows.length > 0) return { heads: rows.map((row) => row.version_num), legacy: false };
  }
  if (!schema.hasTable("migrate_version")) return { heads: [], legacy: false };
  const [row] = await db.query<{ version: number }>("SELECT MAX(version) AS version FROM migrate_version");
  const version = Number(row?.version ?? 0);
  const revision = legacyRevisions[version];
  if (revision) return { heads: [revision], legacy: true };
  throw new ServiceError(
    "schema.unknown_revision",
    `migrate_version ${version} is older than Liberty: upgrade the database to Liberty with its own tools first`,
    { facts: { version } },
  );
}

/** Throws schema.unknown_revision where a head is none of the catalogue's: a newer release (or another tool) was here. */
export function standingOf(found: Pick<Standing, "heads" | "legacy">): Standing {
  let contracted: Release | null = null;
  let expanded: Release | null = null;
  for (const head of found.heads) {
    const name = aliases[head] ?? head;
    const byContract = releases.find((release) => release.heads.contracted === name);
    const byExpand = releases.find((release) => release.heads.expanded === name);
    if (!byContract && !byExpand && !earlyRevisions.has(name)) throw unknownRevision(head);
    contracted = newerOf(contracted, byContract ?? null);
    expanded = newerOf(expanded, byContract ?? byExpand ?? null);
  }
  // The reference's expand head of a release on Newton stands alone: Newton's own revision is absorbed.
  if (expanded && !contracted) contracted = releases[0] ?? null;
  return { ...found, contracted, expanded };
}

export async function readStanding(db: Queryable, schema: KnownTables): Promise<Standing> {
  return standingOf(await readHeads(db, schema));
}

function newerOf(one: Release | null, other: Release | null): Release | null {
  if (!one || !other) return one ?? other;
  return one.order >= other.order ? one : other;
}

function unknownRevision(head: string): ServiceError {
  const newest = releases.at(-1)?.id ?? "";
  return new ServiceError(
    "schema.unknown_revision",
    `the database is at revision ${head}, which this version does not know (its newest release is ${newest}): use the tools of the release that made it`,
    { facts: { revision: head } },
  );
}

/** The rows that stand in alembic_version when `contracted` is finished and `expanded` is expanded. */
export function headsFor(contracted: Release, expanded: Release): readonly string[] {
  const expandHead = newestExpandHead(expanded);
  const contractHead = contracted.heads.contracted;
  if (expanded.order <= contracted.order || expandHead === null) return [contractHead];
  // Newton's revision is an ancestor of every expand revision; a contract revision is not.
  return contracted.heads.expanded === null && contracted.order === 0
    ? [expandHead]
    : [contractHead, expandHead].sort();
}

function newestExpandHead(release: Release): string | null {
  return (
    releases.filter((one) => one.order <= release.order).findLast((one) => one.heads.expanded !== null)?.heads
      .expanded ?? null
  );
}

/** Makes alembic_version hold exactly these rows. Creates the table where it is missing. Waits for other writers as any write does. */
export async function stamp(db: Database, heads: readonly string[]): Promise<void> {
  for (const sql of createTableSql(alembicVersion, db.dialect.name, { ifNotExists: true })) await db.run(sql);
  await db.transaction(async (tx) => {
    const rows = await tx.query<{ version_num: string }>("SELECT version_num FROM alembic_version");
    const present = new Set(rows.map((row) => row.version_num));
    for (const wanted of heads)
      if (!present.has(wanted)) await tx.run("INSERT INTO alembic_version (version_num) VALUES (?)", [wanted]);
    for (const old of present)
      if (!heads.includes(old)) await tx.run("DELETE FROM alembic_version WHERE version_num = ?", [old]);
  });
}

/** The revision a name on the command line means: a revision of the chain, or a release (its finished schema). */
export function revisionNamed(name: string): string {
  const release = releases.find((one) => one.id === (name as ReleaseId));
  if (release) return release.heads.contracted;
  const known = releases.flatMap((one) => [one.heads.expanded, one.heads.contracted]);
  if (known.includes(name) || earlyRevisions.has(name) || aliases[name]) return name;
  throw new ServiceError("schema.unknown_revision", `no such revision: ${name}`, { facts: { revision: name } });
}

// alembic_version, kept exactly as the reference keeps it: which revisions the database shows, what they mean in our catalogue, and
// which rows stand there after each phase. A contract revision absorbs the expand revision it depends on (database.md, 3.1).
import assert from "node:assert/strict";
import { ServiceError } from "../../core/errors.ts";
import { firstRevision, type Release, type RevisionPair, releases } from "../../releases/catalogue.ts";
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

/** What the one-piece `db sync` of Ocata and Pike wrote; the same schema as the contract revision. */
const aliases: Readonly<Record<string, string>> = { ocata01: "ocata_contract01", pike01: "pike_contract01" };

/**
 * Where a database stands between the releases, in levels: how many pairs of the chain of revisions are done (Release.level). A fresh or
 * pre-Newton database is at -1, a finished Newton database at 0.
 */
export type Standing = {
  /** Rows of alembic_version, or the revision that a legacy migrate_version stands for; sorted. */
  readonly heads: readonly string[];
  /** The heads are read from migrate_version; alembic_version is not there yet. */
  readonly legacy: boolean;
  readonly contractLevel: number;
  /** At least contractLevel. */
  readonly expandLevel: number;
};

/** All pairs of revisions, in the order of the chain: the pair of level n stands at n - 1. */
const chain: readonly RevisionPair[] = releases.flatMap((release) => release.revisions);

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

type Meaning = { readonly branch: "both" | "expand" | "contract"; readonly level: number };

function meaningOf(head: string): Meaning {
  const name = aliases[head] ?? head;
  if (earlyRevisions.has(name)) return { branch: "both", level: -1 };
  if (name === firstRevision) return { branch: "both", level: 0 };
  const byContract = chain.findIndex((pair) => pair.contract === name);
  if (byContract >= 0) return { branch: "contract", level: byContract + 1 };
  const byExpand = chain.findIndex((pair) => pair.expand === name);
  if (byExpand >= 0) return { branch: "expand", level: byExpand + 1 };
  throw unknownRevision(head);
}

/**
 * Throws schema.unknown_revision where a head is none of the catalogue's (a newer release, or another tool, was here), and where heads
 * contradict each other.
 */
export function standingOf(found: Pick<Standing, "heads" | "legacy">): Standing {
  const meanings = found.heads.map(meaningOf);
  const levelIn = (branch: Meaning["branch"]) => meanings.find((one) => one.branch === branch)?.level;
  const both = levelIn("both");
  // The expand revisions grow out of Newton's own, and absorb it; a contract revision absorbs its expand.
  const contractLevel = levelIn("contract") ?? both ?? (levelIn("expand") === undefined ? -1 : 0);
  const expandLevel = Math.max(levelIn("expand") ?? -1, contractLevel);
  const explained = found.heads.length === 0 ? 0 : contractLevel > 0 && expandLevel > contractLevel ? 2 : 1;
  if (found.heads.length !== explained) throw contradiction(found.heads);
  return { ...found, contractLevel, expandLevel };
}

export async function readStanding(db: Queryable, schema: KnownTables): Promise<Standing> {
  return standingOf(await readHeads(db, schema));
}

/** For people: the newest release whose revisions are all within the level; null below Newton. */
export function releaseAt(level: number): Release | null {
  const reached = releases.filter((release) => release.level <= level);
  const top = reached.at(-1)?.level;
  return reached.find((release) => release.level === top) ?? null;
}

function unknownRevision(head: string): ServiceError {
  const newest = releases.at(-1)?.id ?? "";
  return new ServiceError(
    "schema.unknown_revision",
    `the database is at revision ${head}, which this version does not know (its newest release is ${newest}): use the tools of the release that made it`,
    { facts: { revision: head } },
  );
}

function contradiction(heads: readonly string[]): ServiceError {
  const list = heads.join(", ");
  return new ServiceError(
    "schema.unknown_revision",
    `alembic_version holds ${list}, which no upgrade leaves behind together: find out which is true and write it with \`glance-manage db version_control --version\``,
    { facts: { revisions: list } },
  );
}

/** The rows that stand in alembic_version at these levels, of 0 and more (database.md, 3.1). */
export function headsFor(contractLevel: number, expandLevel: number): readonly string[] {
  const contractHead = chain[contractLevel - 1]?.contract;
  const expandHead = expandLevel > contractLevel ? chain[expandLevel - 1]?.expand : undefined;
  const heads = [contractHead, expandHead].filter((head) => head !== undefined).sort();
  return heads.length > 0 ? heads : [firstRevision];
}

/** Levels of a release's own revisions, in order. */
export function levelsOf(release: Release): readonly (RevisionPair & { readonly level: number })[] {
  const before = release.level - release.revisions.length;
  return release.revisions.map((pair, index) => ({ ...pair, level: before + index + 1 }));
}

/**
 * The release of this level, of 0 and more, as a target; cut off behind the pair of that level where it goes on: its earlier revisions
 * and no more.
 */
export function releaseUpTo(level: number): Release {
  const release = releases.find((one) => one.level >= level) ?? assert.fail(`the chain has a level ${level}`);
  if (release.level === level) return release;
  const revisions = release.revisions.slice(0, level - release.level);
  const { expand, contract } = revisions.at(-1) ?? assert.fail("a cut release has a revision");
  return { ...release, revisions, level, heads: { expanded: expand, contracted: contract } };
}

/** Throws schema.out_of_order where the database is finished beyond `target`: there is no way back from there. */
export function refuseOlderTarget(standing: Standing, target: Release): void {
  const { contractLevel, heads } = standing;
  if (contractLevel <= target.level) return;
  const next = releaseUpTo(contractLevel);
  const at = releaseAt(contractLevel)?.id === next.id ? next.id : heads.join(", ");
  throw new ServiceError(
    "schema.out_of_order",
    `the database is contracted to ${at}, and the target is ${target.id}, which is older: name ${next.id} or a newer release with --to or [perennial] release, or restore a backup of ${target.id}`,
    { facts: { target: target.id, contracted: at } },
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
  const release = releases.find((one) => one.id === name);
  if (release) return release.heads.contracted;
  try {
    meaningOf(name);
    return name;
  } catch {
    throw new ServiceError("schema.unknown_revision", `no such revision: ${name}`, { facts: { revision: name } });
  }
}

/** Where a revision stands: in which phase, and at which level. Throws schema.unknown_revision. */
export function placeOf(revision: string): { readonly phase: "expand" | "contract"; readonly level: number } {
  const { branch, level } = meaningOf(revision);
  return { phase: branch === "expand" ? "expand" : "contract", level };
}

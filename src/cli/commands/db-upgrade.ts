// `db upgrade`: as far as a revision, for a database nobody serves from.
import { ServiceError } from "../../core/errors.ts";
import type { Database } from "../../db/database.ts";
import { expand } from "../../db/schema/expand.ts";
import { placeOf, readStanding, releaseUpTo, revisionNamed } from "../../db/schema/revisions.ts";
import { readLiveSchema } from "../../db/schema/schema-tools.ts";
import { sync } from "../../db/schema/sync.ts";
import { firstRevision } from "../../releases/catalogue.ts";
import { exitCodes } from "../exit-codes.ts";
import { lockFlags, type ManageCommand, type ManageContext } from "../manage-command.ts";

export const dbUpgrade: ManageCommand = {
  name: "upgrade",
  summary: "Bring a database nobody serves from to a revision.",
  help: `An expand revision stops after expand; any other goes all the way there, as db sync does, and no further: also to a revision in the
middle of a release. A revision the database is past changes nothing. Default: the target release.

Examples:
  glance-manage db upgrade
  glance-manage db upgrade --version rocky_expand01`,
  flags: [...lockFlags, { flag: "--version <version>", help: "revision, name of a release, or heads (default)" }],
  positional: ["version"],
  async run(context) {
    const { out, target } = context;
    const version = context.flag<string>("version") ?? "heads";
    const isNamed = version !== "heads" && version !== "head";
    const revision = isNamed ? revisionNamed(version) : target.heads.contracted;
    const heads = await upgradeTo(context, revision);
    const to = isNamed ? `Upgraded database to: ${version}` : "Upgraded database";
    out.result(`${to}, current revision(s): ${heads.join(", ")}`, { command: "upgrade", revision, heads });
    return exitCodes.ok;
  },
};

/** Returns the heads afterwards. */
async function upgradeTo({ db, engine }: ManageContext, revision: string): Promise<readonly string[]> {
  const { phase, level } = placeOf(revision);
  const { heads, contractLevel } = await standing(db);
  if (contractLevel > level) return heads;
  if (level < 0)
    throw new ServiceError(
      "schema.unknown_revision",
      `no database of ${revision} can be made here: the oldest schema this version makes is ${firstRevision}, of Newton`,
      { facts: { revision } },
    );
  const options = { ...engine, target: releaseUpTo(level) };
  return (await (phase === "expand" ? expand(options) : sync(options))).heads;
}

async function standing(db: Database) {
  return readStanding(db, await readLiveSchema(db));
}

// `db sync` and `db upgrade`: all phases at once, for a database nobody serves from.
import { expand } from "../../db/schema/expand.ts";
import { revisionNamed } from "../../db/schema/revisions.ts";
import { sync } from "../../db/schema/sync.ts";
import { releases } from "../../releases/catalogue.ts";
import { exitCodes } from "../exit-codes.ts";
import { lockFlags, type ManageCommand } from "../manage-command.ts";

export const dbSync: ManageCommand = {
  name: "sync",
  summary: "Create a fresh database, or bring one nobody serves from to the target release.",
  help: `Expand, migrate and contract at once, without the triggers of a mixed fleet. Refused while a node is alive. A VERSION is taken and
has no effect, as in Glance since Queens; the release comes from --to or [perennial] release.

Examples:
  glance-manage db sync
  glance-manage db sync --to newton`,
  flags: [...lockFlags, { flag: "--version <version>", help: "has no effect" }],
  positional: ["version"],
  async run({ out, engine, target }) {
    const { outcome, heads } = await sync(engine);
    const line =
      outcome === "synced" ? "Database is synced successfully." : "Database is up to date. No migrations needed.";
    out.result(line, { command: "sync", target: target.id, outcome, heads });
    return exitCodes.ok;
  },
};

export const dbUpgrade: ManageCommand = {
  name: "upgrade",
  summary: "Bring a database nobody serves from to a revision.",
  help: `An expand revision stops after expand; any other goes all the way, as db sync does. Default: the target release.

Examples:
  glance-manage db upgrade
  glance-manage db upgrade --version ocata_expand01`,
  flags: [...lockFlags, { flag: "--version <version>", help: "revision, or heads (default)" }],
  positional: ["version"],
  async run({ out, engine, target, flag }) {
    const version = flag<string>("version") ?? "heads";
    const revision = version === "heads" || version === "head" ? target.heads.contracted : revisionNamed(version);
    const expanded = releases.find((release) => release.heads.expanded === revision);
    const contracted = releases.find((release) => release.heads.contracted === revision) ?? target;
    const { heads } = expanded
      ? await expand({ ...engine, target: expanded })
      : await sync({ ...engine, target: contracted });
    const to = version === "heads" ? "Upgraded database" : `Upgraded database to: ${version}`;
    out.result(`${to}, current revision(s): ${heads.join(", ")}`, { command: "upgrade", revision, heads });
    return exitCodes.ok;
  },
};

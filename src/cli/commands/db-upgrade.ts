// `db upgrade`: as far as a revision, for a database nobody serves from.
import { expand } from "../../db/schema/expand.ts";
import { revisionNamed } from "../../db/schema/revisions.ts";
import { sync } from "../../db/schema/sync.ts";
import { releases } from "../../releases/catalogue.ts";
import { exitCodes } from "../exit-codes.ts";
import { lockFlags, type ManageCommand } from "../manage-command.ts";

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

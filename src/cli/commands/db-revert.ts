// `db revert`: takes an expand back, after it has said what users would lose by it.
import { type RevertLoss, revert, revertLosses } from "../../db/schema/revert.ts";
import { askYesNo, hasTerminal } from "../ask.ts";
import { exitCodes } from "../exit-codes.ts";
import { lockFlags, type ManageCommand, type ManageContext } from "../manage-command.ts";

export const dbRevert: ManageCommand = {
  name: "revert",
  summary: "Take an expand back, as long as contract has not begun.",
  help: `Needs --to, and every node back at that release. What that release cannot express (a community image at Newton) is listed first, and
taken away only by your word: a y at the terminal, or --accept-losses. Without either it is refused, with nothing changed (exit code 1).
Killed or given up, run it again.

Examples:
  glance-manage db revert --to newton
  glance-manage db revert --to newton --accept-losses`,
  flags: [
    ...lockFlags,
    { flag: "--accept-losses", help: "take away from users what the older release cannot express, without asking" },
  ],
  async run(context) {
    const { out, engine, target, flag } = context;
    if (flag("to") === undefined) {
      out.error("db revert needs --to: the release to go back to", { code: "usage" });
      return exitCodes.usage;
    }
    // The engine counts again under its lock: without a yes it refuses, and says why.
    const acceptLosses = flag("acceptLosses") === true || (await isAccepted(context));
    const { outcome, heads, losses } = await revert({ ...engine, acceptLosses });
    const line =
      outcome === "reverted"
        ? `Reverted database to: ${target.heads.contracted}, current revision(s): ${heads.join(", ")}`
        : "Database is up to date. Nothing to revert.";
    out.result(line, { command: "revert", target: target.id, outcome, heads, losses });
    return exitCodes.ok;
  },
};

async function isAccepted({ out, engine, target }: ManageContext): Promise<boolean> {
  if (out.json || !hasTerminal()) return false;
  const losses = await revertLosses(engine);
  if (losses.length === 0) return false;
  out.note(`${target.id} cannot express:`);
  for (const loss of losses) out.note(`  ${lossText(loss)}`);
  return askYesNo("Go back all the same?", engine.signal ?? new AbortController().signal);
}

function lossText({ rows, name, examples }: RevertLoss): string {
  return `${rows} ${name} (such as ${examples.join(", ")})`;
}

// `glance-rollout rollback`: the nodes back to the release they came from, the last one first, and then the schema.
import type { Command } from "commander";
import { ServiceError } from "../../core/errors.ts";
import { revertLosses } from "../../db/schema/revert.ts";
import { isReleaseId, type ReleaseId, releaseIds, releaseOf } from "../../releases/catalogue.ts";
import { isDone } from "../../rollout/decide-node.ts";
import { type Fleet, loadFleet } from "../../rollout/fleet.ts";
import { packagesOf } from "../../rollout/nodes/node-schemas.ts";
import { readHistory, stateOf } from "../../rollout/rollout-history.ts";
import type { Snapshot } from "../../rollout/snapshot.ts";
import { glanceReleaseOf } from "../../rollout/takeover/takeover-fleet.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { giveBack, isPastGlance } from "./rollout-give-back.ts";
import { databaseOf, planOf, type RolloutParts } from "./rollout-parts.ts";
import { askToGoAhead, runSession } from "./rollout-session.ts";

type Options = { fleet: string; to?: string; yes?: true; json?: true; acceptLosses?: true };

const help = `
Only before a contract has begun: afterwards it refuses, and the way back is the backup. It keeps the capacity floor and every gate, and it
can be killed and run again as a rollout can. What the older release cannot express (a community image at Newton) is named first, and taken
away only with --accept-losses. A fleet that was taken over from Glance (glance: in the fleet file) is given back to it, on every node;
with --to it stays ours.

Examples:
  glance-rollout rollback --fleet /etc/glance/fleet.yaml
  glance-rollout rollback --fleet /etc/glance/fleet.yaml --to newton --yes --json`;

export function addRollbackCommand(program: Command, run: (work: () => Promise<ExitCode>) => Promise<void>): void {
  program
    .command("rollback")
    .summary("take nodes and schema back, as long as contract has not begun")
    .description(
      "Takes the nodes back to the release they served when the rollout began, one after the other, the last one first; then takes out of the schema what was added for the newer release.",
    )
    .requiredOption("--fleet <file>", "the fleet file")
    .option("--to <release>", "the release to go back to, where the journal does not say it")
    .option("--yes", "do not ask before the first step")
    .option("--accept-losses", "take away from users what the older release cannot express")
    .option("--json", "print the journal's entries, one JSON object a line")
    .addHelpText("after", help)
    .action((options: Options) => run(() => runRollback(options)));
}

/** Throws what `failCommand` tells. */
export async function runRollback(options: Options): Promise<ExitCode> {
  const fleet = loadFleet(options.fleet);
  if (!options.yes && !process.stdin.isTTY) {
    process.stderr.write("glance-rollout: nobody can be asked here; run it with --yes\n");
    return exitCodes.usage;
  }
  // Back to Glance, where there was one: ours to the release it is, with the schema, and then Glance.
  const glance = options.to === undefined ? glanceReleaseOf(fleet) : undefined;
  if (glance === undefined) return runBack(fleet, options);
  if (await isPastGlance(fleet)) {
    const code = await runBack(fleet, { ...options, to: glance });
    if (code !== exitCodes.ok) return code;
  }
  return giveBack(fleet, options);
}

async function runBack(fleet: Fleet, options: Options): Promise<ExitCode> {
  const target = await targetOf(fleet, options);
  for (const node of fleet.nodes) {
    const packages = packagesOf(node);
    if (packages && !packages[target]) {
      const message = `${fleet.file}: ${node.name} has no package for ${target}; name it in its packages`;
      throw new ServiceError("rollout.fleet_invalid", message);
    }
  }
  const back: Fleet = { ...fleet, target };
  return runSession({
    fleet: back,
    rolloutTarget: fleet.target,
    plan: planOf(back, "back"),
    json: options.json === true,
    acceptLosses: options.acceptLosses === true,
    again: `glance-rollout rollback --fleet ${options.fleet}`,
    mayBegin: (parts, seen, signal) => mayBegin(parts, seen, options, signal),
  });
}

/** What was asked for, else what every node served when the rollout under way began. */
async function targetOf(fleet: Fleet, options: Options): Promise<ReleaseId> {
  const { to } = options;
  if (to !== undefined) {
    if (isReleaseId(to) && releaseOf(to).order < releaseOf(fleet.target).order) return to;
    const older = releaseIds.filter((id) => releaseOf(id).order < releaseOf(fleet.target).order);
    throw new ServiceError("rollout.fleet_invalid", `--to is ${to}; allowed: ${older.join(", ")}`);
  }
  const database = databaseOf(fleet);
  try {
    const history = await readHistory(fleet.journal, fleet.name, database.journalStore());
    const going = history.findLast((one) => one.target === fleet.target);
    // One that was given up left the fleet between the releases; one that came to its end did not.
    if (!going || ["finished", "rolled back"].includes(stateOf(going.events, false))) {
      const why = `no rollout to ${fleet.target} is under way`;
      throw new ServiceError("schema.out_of_order", `${why}; where no contract has begun, say where to with --to`);
    }
    const began = going.events.find((event) => event.data?.began !== undefined)?.data?.began;
    const releases = new Set(typeof began === "object" && began !== null ? Object.values(began) : []);
    const [only] = [...releases].map(String);
    if (releases.size === 1 && only !== undefined && isReleaseId(only) && only !== fleet.target) return only;
    throw new ServiceError(
      "schema.out_of_order",
      `the journal of ${going.rolloutId} does not name one release to go back to; say it with --to`,
    );
  } finally {
    await database.close();
  }
}

async function mayBegin(
  parts: RolloutParts,
  seen: Omit<Snapshot, "memory">,
  options: Options,
  signal: AbortSignal,
): Promise<boolean> {
  const { fleet, engineRelease } = parts;
  if (seen.due === "closed") {
    const message = `nothing was changed: a contract has begun, so there is no way back to ${fleet.target}: restore the backup (glance-manage db restore), or go on with glance-rollout run`;
    throw new ServiceError("schema.out_of_order", message, { facts: { target: fleet.target } });
  }
  const db = await parts.database.open(signal);
  const losses = seen.due === "revert" ? await revertLosses({ db, target: releaseOf(fleet.target) }) : [];
  const lost = losses.map(({ rows, name, examples }) => `${rows} ${name} (such as ${examples.join(", ")})`);
  if (lost.length > 0 && !options.acceptLosses) {
    const message = `nothing was changed: ${fleet.target} cannot express ${lost.join("; ")}. Change these images first, or accept it with --accept-losses`;
    throw new ServiceError("schema.would_lose", message, { facts: { target: fleet.target } });
  }
  if (options.yes) return true;
  const plan = planOf(fleet, "back");
  const nodes = seen.nodes.filter((node) => !isDone(plan, node)).toReversed();
  return askToGoAhead(
    [
      `Rollback of ${fleet.name} from ${engineRelease} to ${fleet.target} on ${parts.databaseName}:`,
      ...nodes.map(({ name }) => `  ${name}: drain, exit, install ${fleet.target}, start, return`),
      ...(seen.due === "revert" ? [`  take out of the schema what only ${engineRelease} uses`] : []),
      ...lost.map((one) => `  given up: ${one}`),
    ],
    signal,
  );
}

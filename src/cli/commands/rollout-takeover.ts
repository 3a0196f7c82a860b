// `glance-rollout takeover plan | run`: nodes of Glance are replaced by ours as the same release, one after the other, the database untouched.
import type { Command } from "commander";
import { ServiceError } from "../../core/errors.ts";
import { isDone } from "../../rollout/decide-node.ts";
import { type Fleet, loadFleet } from "../../rollout/fleet.ts";
import { FleetWorld } from "../../rollout/fleet-world.ts";
import type { Snapshot } from "../../rollout/snapshot.ts";
import { takeoverFleet } from "../../rollout/takeover/takeover-fleet.ts";
import { foreignImagesText, takeoverProblems, takeoverSteps } from "../../rollout/takeover/takeover-plan.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { databaseOf, planOf, type RolloutParts, wireRollout } from "./rollout-parts.ts";
import { askToGoAhead, runSession } from "./rollout-session.ts";
import { nodeTable } from "./rollout-table.ts";
import { inspectNodes, type NodeFindings } from "./takeover-inspect.ts";

type Options = { fleet: string; yes?: true; json?: true };

const help = `
The fleet file says under glance: what its nodes are today (docs/take-over.md). Until a contract glance-rollout rollback gives every node
back to Glance. When every node is ours, glance-rollout run goes on to the fleet file's target.

Exit codes are those of glance-rollout plan and run: 1 where something is in the way, 7 where it paused.

Examples:
  glance-rollout takeover plan --fleet /etc/glance/fleet.yaml
  glance-rollout takeover plan --fleet /etc/glance/fleet.yaml --json | jq '.nodes[] | {node, refuses}'
  glance-rollout takeover run --fleet /etc/glance/fleet.yaml`;

export function addTakeoverCommands(program: Command, run: (work: () => Promise<ExitCode>) => Promise<void>): void {
  const takeover = program
    .command("takeover")
    .summary("replace a running Glance by ours, as the same release")
    .description("Replaces nodes of Glance by ours as the same release, one after the other, while they serve.")
    .addHelpText("after", help);
  takeover
    .command("plan")
    .summary("say what would become of each node; touches nothing")
    .description(
      "Reads each node's process, version, glance-api.conf, paste file and policy on its host, and prints what our node does otherwise, what it ignores, what keeps it from starting, and where nodes differ from one another; then the steps. Touches nothing. Exit code 1 where something is in the way.",
    )
    .requiredOption("--fleet <file>", "the fleet file")
    .option("--json", "print one JSON object")
    .addHelpText("after", help)
    .action((options: Options) => run(() => runPlan(options)));
  takeover
    .command("run")
    .summary("do it, or go on with it")
    .description(
      "Backs the database up; then node by node: drained at the balancer, its requests and imports waited for, Glance stopped and seen to be gone, ours started as the same release, probed, returned to rotation. The database's schema is not touched.",
    )
    .requiredOption("--fleet <file>", "the fleet file")
    .option("--yes", "do not ask before the first step")
    .option("--json", "print the journal's entries, one JSON object a line")
    .addHelpText("after", help)
    .action((options: Options) => run(() => runRun(options)));
}

async function runPlan(options: Options): Promise<ExitCode> {
  const fleet = takeoverFleet(loadFleet(options.fleet));
  const { signal } = new AbortController();
  const database = databaseOf(fleet);
  try {
    const parts = wireRollout(fleet, { rolloutId: "none yet", database, goal: "perennial" });
    const seen = await new FleetWorld(parts).look(signal);
    const nodes = await inspectNodes(fleet, signal);
    const problems = problemsOf(fleet, seen, nodes);
    const steps = takeoverSteps(fleet, seen);
    const foreign = await (await database.glances(signal)).foreignLocations();
    const foreignLocations = Object.fromEntries(foreign);
    const lines = options.json
      ? [JSON.stringify({ release: fleet.target, due: seen.due, nodes, foreignLocations, steps, problems })]
      : [
          ...nodeTable(seen.nodes),
          ...nodes.flatMap(findingText),
          "",
          ...foreignImagesText(foreign),
          ...planText(parts, steps, problems),
        ];
    process.stdout.write(`${lines.join("\n")}\n`);
    return problems.length > 0 ? exitCodes.failed : exitCodes.ok;
  } finally {
    await database.close();
  }
}

async function runRun(options: Options): Promise<ExitCode> {
  const fleet = takeoverFleet(loadFleet(options.fleet));
  if (!options.yes && !process.stdin.isTTY) {
    process.stderr.write(
      "glance-rollout: nobody can be asked here; look at glance-rollout takeover plan, then run with --yes\n",
    );
    return exitCodes.usage;
  }
  return runSession({
    fleet,
    rolloutTarget: fleet.target,
    plan: { ...planOf(fleet), takeover: "perennial" },
    json: options.json === true,
    again: `glance-rollout takeover run --fleet ${options.fleet}`,
    mayBegin: (parts, seen, signal) => mayBegin(parts, seen, options, signal),
  });
}

async function mayBegin(
  parts: RolloutParts,
  seen: Omit<Snapshot, "memory">,
  options: Options,
  signal: AbortSignal,
): Promise<boolean> {
  const { fleet } = parts;
  const problems = problemsOf(fleet, seen, await inspectNodes(fleet, signal));
  if (problems.length > 0) {
    const message = `nothing was changed: ${problems.join("; ")}`;
    throw new ServiceError("schema.preflight_failed", message, { facts: { problems: problems.length } });
  }
  const plan = { ...planOf(fleet), takeover: "perennial" as const };
  if (options.yes || seen.nodes.every((node) => isDone(plan, node))) return true;
  return askToGoAhead(planText(parts, takeoverSteps(fleet, seen), []), signal);
}

function problemsOf(fleet: Fleet, seen: Omit<Snapshot, "memory">, nodes: readonly NodeFindings[]): readonly string[] {
  return [
    ...takeoverProblems(fleet, seen),
    ...nodes.flatMap(({ node, refuses }) => refuses.map((why) => `${node}: ${why}`)),
  ];
}

function findingText({
  node,
  process,
  version,
  files,
  refuses,
  ignored,
  differs,
  unlikeFirst,
}: NodeFindings): string[] {
  const list = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : [`  ${title}:`, ...lines.map((line) => `    - ${line}`)];
  return [
    "",
    `${node}: ${process ?? "no process of Glance"}${version === null ? "" : `, version ${version}`}`,
    `  read: ${files.join(", ") || "nothing"}`,
    ...list("keeps our node from starting", refuses),
    ...list("unlike the first node", unlikeFirst),
    ...list("ignored by our node", ignored),
    ...list("done otherwise by our node", differs),
  ];
}

function planText(parts: RolloutParts, steps: readonly string[], problems: readonly string[]): readonly string[] {
  const { fleet, databaseName } = parts;
  if (steps.length === 0) return [`Nothing to do: every node is ours and serves ${fleet.target}.`];
  return [
    `Take-over of ${fleet.name} as ${fleet.target} on ${databaseName}:`,
    ...steps.map((step, index) => `${String(index + 1).padStart(3)}. ${step}`),
    ...problems.map((problem) => `in the way: ${problem}`),
  ];
}

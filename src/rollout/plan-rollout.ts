// What a rollout would do from here, in order, without doing any of it: the steps, what the database work costs on this server, and what
// stands in the way.
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { Database } from "../db/database.ts";
import { type PlannedStep, planPhases } from "../db/schema/plan.ts";
import { findingsFor } from "../db/schema/preflight.ts";
import { releaseOf } from "../releases/catalogue.ts";
import { isServing } from "./decide-node.ts";
import type { Fleet } from "./fleet.ts";
import type { NodeView, Snapshot } from "./snapshot.ts";

export type RolloutStep = {
  readonly do: "back-up" | "take-out" | "expand" | "migrate" | "bring-in" | "replace" | "hand-over" | "contract";
  readonly node?: string;
  readonly text: string;
  /** Statements on the database and what they cost, of the schema steps. */
  readonly statements?: readonly PlannedStep[];
};

export type RolloutPlan = {
  readonly target: string;
  readonly steps: readonly RolloutStep[];
  /** What would stop it; empty where it can begin. */
  readonly problems: readonly string[];
  readonly notes: readonly string[];
};

/** Throws db errors. */
export async function planRollout(fleet: Fleet, seen: Omit<Snapshot, "memory">, db: Database): Promise<RolloutPlan> {
  const target = fleet.target;
  const behind = seen.nodes.filter((node) => (node.release ?? node.configRelease) !== target || !isServing(node));
  if (behind.length === 0 && seen.due === "nothing") return { target, steps: [], problems: [], notes: [] };
  const planned = (await planPhases(db, releaseOf(target))).filter((step) => !step.applied);
  const findings =
    seen.due === "expand" ? await findingsFor(db, "expand", releaseOf(target)) : { problems: [], notes: [] };
  const nodes = nodeSteps(fleet, behind, planned);
  return {
    target,
    steps: [...(seen.backup === "verified" ? [] : [await backupStep(fleet)]), ...nodes, ...contractStep(seen, planned)],
    problems: [...findings.problems, ...fleetProblems(fleet, seen)],
    notes: [...findings.notes, ...drainNotes(fleet, behind)],
  };
}

function nodeSteps(fleet: Fleet, behind: readonly NodeView[], planned: readonly PlannedStep[]): RolloutStep[] {
  const { target } = fleet;
  const schema = schemaSteps(planned);
  const inPlace = behind.filter((node) => handsOver(fleet, node));
  const [first, ...others] = behind.filter((node) => !inPlace.includes(node));
  if (!first) return [...schema, ...inPlace.map((node) => handOverStep(fleet, node))];
  const probe = fleet.gates.synthetic ? ", create, read and delete an image through it" : "";
  const takeOut = `drain ${first.name}, let it finish and exit, install ${target} without starting it`;
  return [
    { do: "take-out", node: first.name, text: takeOut },
    ...schema,
    { do: "bring-in", node: first.name, text: `start ${first.name} as ${target}${probe}, return it to rotation` },
    ...inPlace.map((node) => handOverStep(fleet, node)),
    ...others.map(({ name }): RolloutStep => {
      const text = `the same for ${name}: drain, exit, install, start, ${fleet.gates.synthetic ? "probe, " : ""}return`;
      return { do: "replace", node: name, text };
    }),
  ];
}

function handsOver(fleet: Fleet, node: NodeView): boolean {
  return fleet.strategy === "handover" && node.handsOver === true && isServing(node);
}

function handOverStep(fleet: Fleet, { name }: NodeView): RolloutStep {
  const probe = fleet.gates.synthetic ? "; create, read and delete an image through it" : "";
  const text = `hand ${name} over to a new process of ${fleet.target}, which serves when it is ready; the old one finishes its transfers${probe}`;
  return { do: "hand-over", node: name, text };
}

function schemaSteps(planned: readonly PlannedStep[]): RolloutStep[] {
  const expand = planned.filter((step) => step.phase !== "migrate" && step.phase !== "contract");
  const migrate = planned.filter((step) => step.phase === "migrate");
  const steps: RolloutStep[] = [];
  if (expand.length > 0) {
    steps.push({
      do: "expand",
      text: "add to the schema what the new release needs, while all others serve",
      statements: expand,
    });
  }
  if (migrate.length > 0)
    steps.push({ do: "migrate", text: "fill in the data it reads, in small batches", statements: migrate });
  return steps;
}

function contractStep(seen: Omit<Snapshot, "memory">, planned: readonly PlannedStep[]): RolloutStep[] {
  if (seen.due === "nothing") return [];
  const statements = planned.filter((step) => step.phase === "contract");
  const text =
    "when no older node runs anywhere: verify every row, then remove what only older releases use; there is no way back after this";
  return [{ do: "contract", text, statements }];
}

/** Of nodes that are drained although a hand-over was asked for. */
function drainNotes(fleet: Fleet, behind: readonly NodeView[]): string[] {
  if (fleet.strategy !== "handover") return [];
  const drained = behind.filter((node) => isServing(node) && !handsOver(fleet, node) && !lacksCommand(fleet, node));
  const byLack = Map.groupBy(drained, (node) => node.handOverLacks ?? "a running process of ours");
  return [...byLack].map(([lack, nodes]) => {
    const names = nodes.map((node) => node.name).join(", ");
    return `${names}: drained instead of handed over; a hand-over lacks ${lack}`;
  });
}

/** That is for the fleet file to say: what its commands can do nobody else knows. */
function lacksCommand(fleet: Fleet, { name }: NodeView): boolean {
  const node = fleet.nodes.find((one) => one.name === name);
  return fleet.strategy === "handover" && node?.driver === "command" && node.handover === undefined;
}

async function backupStep(fleet: Fleet): Promise<RolloutStep> {
  const { directory } = fleet.backup;
  return {
    do: "back-up",
    text: `back the database up into ${directory} (${await freeText(directory)}), and read it back`,
  };
}

/** The folder is made when it is needed; its parent says as much about the room. */
async function freeText(folder: string): Promise<string> {
  for (let path = folder; ; path = dirname(path)) {
    try {
      const { bavail, bsize } = await statfs(path);
      return `${Math.floor((bavail * bsize) / 1_000_000)} MB free`;
    } catch (error) {
      const absent = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (!absent || path === dirname(path)) return "room unknown";
    }
  }
}

function fleetProblems(fleet: Fleet, seen: Omit<Snapshot, "memory">): string[] {
  const problems: string[] = [];
  const serving = seen.nodes.filter(isServing);
  const order = releaseOf(fleet.target).order;
  for (const node of seen.nodes) {
    const release = node.release ?? node.configRelease;
    if (releaseOf(release).order > order)
      problems.push(`${node.name} runs as ${release}, which is newer than ${fleet.target}`);
  }
  const commandless = seen.nodes.filter((node) => node.release !== fleet.target && lacksCommand(fleet, node));
  if (commandless.length > 0) {
    const names = commandless.map((node) => node.name).join(", ");
    problems.push(
      `strategy handover needs a command \`handover\` for ${names} (driver command); add it to the fleet file, or use strategy drain`,
    );
  }
  const behind = serving.some((node) => node.release !== fleet.target && !handsOver(fleet, node));
  // Nodes that do not serve now are brought up first, and then count.
  if (behind && seen.nodes.length - 1 < fleet.servingMin) {
    const left = seen.nodes.length - 1;
    problems.push(
      `taking one node out leaves ${left} serving; the floor (capacity.serving_min) is ${fleet.servingMin}`,
    );
  }
  return problems;
}

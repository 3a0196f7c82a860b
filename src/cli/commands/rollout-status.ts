// `glance-rollout status`: where the fleet's rollout stands, whether it is being run now or not, from any host.
import type { Command } from "commander";
import { systemClock } from "../../core/clock.ts";
import { errorText, isServiceError } from "../../core/errors.ts";
import type { DatabaseView } from "../../rollout/database-view.ts";
import { type Fleet, loadFleet } from "../../rollout/fleet.ts";
import { FleetWorld } from "../../rollout/fleet-world.ts";
import type { JournalEvent } from "../../rollout/journal-event.ts";
import { type RolloutState, readHistory, stateOf } from "../../rollout/rollout-history.ts";
import type { NodeView, SchemaDue, Snapshot } from "../../rollout/snapshot.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { createLiveLine } from "../live-line.ts";
import { checkNodeConfigs, databaseOf, wireRollout } from "./rollout-parts.ts";
import { eventText } from "./rollout-screen.ts";
import { nodeTable } from "./rollout-table.ts";

type Options = { fleet: string; json?: true; watch?: true };
const entriesShown = 5;
const watchMs = 2_000;

export function addStatusCommand(program: Command, run: (work: () => Promise<ExitCode>) => Promise<void>): void {
  program
    .command("status")
    .summary("show where the rollout stands")
    .description(
      "Shows the newest rollout to the fleet file's target: its phase, who runs it and what it does or waits for, a contract that is pending; and every node: release, state, rotation, transfers under way with bytes left and the time they need, age of its heartbeat. Changes nothing.",
    )
    .requiredOption("--fleet <file>", "the fleet file")
    .option("--watch", "look again every 2 s, until the rollout is over or Ctrl-C")
    .option("--json", "print one JSON object; with --watch one a look")
    .addHelpText(
      "after",
      "\nExamples:\n  glance-rollout status --fleet /etc/glance/fleet.yaml\n  glance-rollout status --fleet /etc/glance/fleet.yaml --watch",
    )
    .action((options: Options) => run(() => runStatus(options)));
}

async function runStatus(options: Options): Promise<ExitCode> {
  const fleet = loadFleet(options.fleet);
  checkNodeConfigs(fleet);
  const live = options.watch && !options.json && process.stdout.isTTY ? createLiveLine(process.stdout) : undefined;
  for (;;) {
    const status = await lookAt(fleet);
    const lines = options.json ? [jsonText(status)] : statusText(fleet, status);
    if (live) live(lines.join("\n"));
    else process.stdout.write(`${lines.join("\n")}\n`);
    const over = ["finished", "aborted", "rolled back"].includes(status.state);
    if (!options.watch || over) return "problem" in status.seen ? exitCodes.failed : exitCodes.ok;
    await systemClock.sleep(watchMs);
  }
}

type Seen = Omit<Snapshot, "memory"> | { readonly problem: string };
type Status = {
  readonly rolloutId: string | null;
  readonly events: readonly JournalEvent[];
  readonly state: RolloutState | "none";
  /** Who runs it now. */
  readonly holder: string | null;
  readonly seen: Seen;
  /** Everything but the contract is done. */
  readonly contractPending: boolean;
};

async function lookAt(fleet: Fleet): Promise<Status> {
  const database = databaseOf(fleet);
  try {
    const history = await readHistory(fleet.journal, fleet.name, database.journalStore());
    // A take-over is a rollout to what Glance is.
    const targets = new Set<string>([fleet.target, ...fleet.nodes.flatMap((node) => node.glance?.release ?? [])]);
    const newest = history.findLast((one) => targets.has(one.target));
    const rolloutId = newest?.rolloutId ?? null;
    const events = newest?.events ?? [];
    const seen = await look(fleet, database, rolloutId ?? "none yet", events);
    const holder = (await holderOf(database)) ?? null;
    const contractPending = !("problem" in seen) && isContractPending(fleet, seen);
    const state = newest ? stateOf(events, holder !== null) : "none";
    return { rolloutId, events, state, holder, seen, contractPending };
  } finally {
    await database.close();
  }
}

async function look(
  fleet: Fleet,
  database: DatabaseView,
  rolloutId: string,
  events: readonly JournalEvent[],
): Promise<Seen> {
  const parts = wireRollout(fleet, { rolloutId, database, journaled: () => events });
  try {
    return await new FleetWorld(parts).look(new AbortController().signal);
  } catch (error) {
    if (!isServiceError(error)) throw error;
    return { problem: errorText(error) };
  }
}

async function holderOf(database: DatabaseView): Promise<string | undefined> {
  try {
    return await database.holder(new AbortController().signal);
  } catch (error) {
    if (!isServiceError(error)) throw error;
    // The look has said already what is wrong with the database.
    return undefined;
  }
}

function isContractPending(fleet: Fleet, seen: Omit<Snapshot, "memory">): boolean {
  return seen.due === "contract" && seen.nodes.every((node) => node.release === fleet.target);
}

function statusText(fleet: Fleet, status: Status): readonly string[] {
  const { events, seen, holder } = status;
  const last = events.findLast((event) => event.kind === "decision") ?? events.at(-1);
  const head = status.rolloutId
    ? [
        `rollout  ${status.rolloutId}: ${status.state}${holder ? `, by ${holder}` : ""}`,
        `phase    ${last?.phase ?? "backup"}`,
        `now      ${last?.text ?? "nothing yet"}`,
      ]
    : [`no rollout of ${fleet.name} to ${fleet.target} has begun`];
  const request = "problem" in seen || !seen.request ? [] : [`asked    ${seen.request.do}, by ${seen.request.told}`];
  const pending = status.contractPending
    ? [
        "pending  contract: until then glance-rollout rollback takes nodes and schema back; do it with glance-rollout run",
      ]
    : [];
  const nodes =
    "problem" in seen
      ? [`cannot look: ${seen.problem}`]
      : [`schema   ${schemaText(seen.due)}`, ...glances(seen.nodes), "", ...nodeTable(seen.nodes)];
  const entries = events.slice(-entriesShown).map(eventText);
  return [...head, ...request, ...pending, ...nodes, ...(entries.length > 0 ? ["", ...entries] : [])];
}

/** What the database needs next: nodes may have to move before it is done. */
function schemaText(due: SchemaDue): string {
  if (due === "nothing") return "nothing is due";
  return due === "closed" ? "contracted: there is no way back" : `${due} is due`;
}

/** Where there is none any more to be taken over, each of them is one that came back. */
function glances(nodes: readonly NodeView[]): readonly string[] {
  const found = nodes.filter((node) => node.glance !== undefined);
  return found.map(({ name, glance }) => `glance   ${name}: ${glance}`);
}

function jsonText({ rolloutId, state, holder, events, seen, contractPending }: Status): string {
  return JSON.stringify({
    rollout: rolloutId,
    state,
    holder,
    last: events.at(-1) ?? null,
    contractPending,
    ...("problem" in seen ? seen : { due: seen.due, request: seen.request, nodes: seen.nodes }),
  });
}

// `glance-rollout status`: where the fleet's rollout stands, whether it is being run now or not.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { errorText, isServiceError } from "../../core/errors.ts";
import { type Fleet, loadFleet } from "../../rollout/fleet.ts";
import { FleetWorld } from "../../rollout/fleet-world.ts";
import { isFinished, type JournalFile, readJournals } from "../../rollout/journal.ts";
import type { Snapshot } from "../../rollout/snapshot.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { wireRollout } from "./rollout-parts.ts";
import { eventText } from "./rollout-screen.ts";
import { nodeTable } from "./rollout-table.ts";

type Options = { fleet: string; json?: true };
const entriesShown = 5;

export function addStatusCommand(program: Command, run: (work: () => Promise<ExitCode>) => Promise<void>): void {
  program
    .command("status")
    .summary("show where the rollout stands")
    .description(
      "Shows the newest rollout to the fleet file's target: its phase and what it does or waits for, from the journal; and every node: release, state, rotation, transfers under way with bytes left and the time they need, age of its heartbeat. Changes nothing.",
    )
    .requiredOption("--fleet <file>", "the fleet file")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  watch glance-rollout status --fleet /etc/glance/fleet.yaml")
    .action((options: Options) => run(() => runStatus(options)));
}

async function runStatus(options: Options): Promise<ExitCode> {
  const fleet = loadFleet(options.fleet);
  const newest = (await readJournals(fleet.journal, fleet.name, fleet.target)).at(-1);
  const seen = await look(fleet, newest?.rolloutId ?? "none yet");
  const state = stateOf(fleet, newest);
  const lines = options.json ? [jsonText(newest, seen, state)] : statusText(fleet, newest, seen, state);
  process.stdout.write(`${lines.join("\n")}\n`);
  return "problem" in seen ? exitCodes.failed : exitCodes.ok;
}

type Seen = Omit<Snapshot, "memory"> | { readonly problem: string };
type State = "none" | "running" | "paused" | "stopped" | "finished";

async function look(fleet: Fleet, rolloutId: string): Promise<Seen> {
  const parts = wireRollout(fleet, { rolloutId });
  try {
    return await new FleetWorld(parts).look(new AbortController().signal);
  } catch (error) {
    if (!isServiceError(error)) throw error;
    return { problem: errorText(error) };
  } finally {
    await parts.close();
  }
}

function stateOf(fleet: Fleet, journal: JournalFile | undefined): State {
  if (!journal) return "none";
  if (isFinished(journal)) return "finished";
  if (holderLives(fleet)) return "running";
  return journal.events.at(-1)?.data?.do === "pause" ? "paused" : "stopped";
}

/** Whether the process that last took the fleet's lock lives. It says nothing more, so it is for people only. */
function holderLives(fleet: Fleet): boolean {
  try {
    const holder = readFileSync(join(fleet.journal, `${fleet.name}.lock.holder`), "utf8");
    process.kill(Number(/^process (\d+)/.exec(holder)?.[1]), 0);
    return true;
  } catch {
    // No such file, or no such process.
    return false;
  }
}

function statusText(fleet: Fleet, journal: JournalFile | undefined, seen: Seen, state: State): readonly string[] {
  const last = journal?.events.findLast((event) => event.kind === "decision") ?? journal?.events.at(-1);
  const head = journal
    ? [
        `rollout  ${journal.rolloutId}: ${state}`,
        `phase    ${last?.phase ?? "backup"}`,
        `now      ${last?.text ?? "nothing yet"}`,
      ]
    : [`no rollout of ${fleet.name} to ${fleet.target} has begun`];
  const nodes =
    "problem" in seen ? [`cannot look: ${seen.problem}`] : [`next     ${seen.due}`, "", ...nodeTable(seen.nodes)];
  const entries = (journal?.events ?? []).slice(-entriesShown).map(eventText);
  return [...head, ...nodes, ...(entries.length > 0 ? ["", ...entries] : [])];
}

function jsonText(journal: JournalFile | undefined, seen: Seen, state: State): string {
  const last = journal?.events.at(-1) ?? null;
  return JSON.stringify({
    rollout: journal?.rolloutId ?? null,
    state,
    last,
    ...("problem" in seen ? seen : { due: seen.due, nodes: seen.nodes }),
  });
}

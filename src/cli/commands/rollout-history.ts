// `glance-rollout history` and `report`: which rollouts there were, and what one of them did, from both copies of its journal.
import { type Command, Option } from "commander";
import { readRollout } from "../../console/read-rollout.ts";
import { reportPage } from "../../console/report/report-page.ts";
import { writeReport } from "../../console/report/write-report.ts";
import { Timeline } from "../../console/timeline.ts";
import { systemClock } from "../../core/clock.ts";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import { packageVersion } from "../../core/package-version.ts";
import type { DatabaseView } from "../../rollout/database-view.ts";
import { type Fleet, loadFleet } from "../../rollout/fleet.ts";
import {
  type PastRollout,
  type RolloutReport,
  type RolloutState,
  readHistory,
  reportOf,
  stateOf,
} from "../../rollout/rollout-history.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { textTable } from "../text-table.ts";
import { databaseOf } from "./rollout-parts.ts";
import { eventText } from "./rollout-screen.ts";

type Options = { fleet: string; json?: true };
type ReportOptions = Options & { out?: string; force?: true };
type Run = (work: () => Promise<ExitCode>) => Promise<void>;

export function addHistoryCommands(program: Command, run: Run): void {
  program
    .command("history")
    .summary("list the rollouts of the fleet")
    .description(
      "Lists the rollouts of the fleet, newest first: how each ended, how long it took, and whether its journal holds together in the database and on disk. Exit code 1 where one does not.",
    )
    .requiredOption("--fleet <file>", "the fleet file")
    .option("--json", "print one JSON object a line")
    .addHelpText("after", "\nExample:\n  glance-rollout history --fleet /etc/glance/fleet.yaml")
    .action((options: Options) => run(() => runHistory(options)));
  program
    .command("report")
    .summary("tell what one rollout did")
    .description(
      "Tells of one rollout: phases, nodes and how long each was out, failures, pauses, the backup, and the first entry of its journal that is not as it was written, if any (exit code 1).",
    )
    .argument("[id]", "the rollout, as history lists it; the newest one where it is left out")
    .requiredOption("--fleet <file>", "the fleet file")
    .addOption(new Option("--json", "print one JSON object with the whole journal").conflicts("out"))
    .option("--out <file>", "write the report as one HTML file, with pictures, that needs no network")
    .option("--force", "with --out: replace the file where it exists")
    .addHelpText(
      "after",
      "\nExamples:\n  glance-rollout report --fleet /etc/glance/fleet.yaml\n  glance-rollout report glance-ocata-20261126T120000Z --fleet /etc/glance/fleet.yaml --json\n  glance-rollout report --fleet /etc/glance/fleet.yaml --out report.html",
    )
    .action((id: string | undefined, options: ReportOptions) =>
      run(() => (options.out === undefined ? runReport(id, options) : writeReportPage(id, options, options.out))),
    );
}

async function runHistory(options: Options): Promise<ExitCode> {
  const { rollouts, held } = await read(options);
  const newestFirst = [...rollouts].reverse();
  const states = newestFirst.map((one, index) => stateOf(one.events, held && index === 0));
  const lines = options.json
    ? newestFirst.map((one, index) => JSON.stringify(summary(one, states[index] ?? "stopped")))
    : historyTable(newestFirst, states);
  if (lines.length > 0) process.stdout.write(`${lines.join("\n")}\n`);
  return rollouts.some((one) => one.broken) ? exitCodes.failed : exitCodes.ok;
}

async function runReport(id: string | undefined, options: Options): Promise<ExitCode> {
  const { fleet, rollouts, held } = await read(options, id);
  const rollout = rollouts.at(-1);
  if (!rollout) throw noRollout(fleet.name, id);
  const state = stateOf(rollout.events, held);
  const report = reportOf(rollout.events);
  const lines = options.json
    ? [JSON.stringify({ ...summary(rollout, state), ...report, events: rollout.events })]
    : reportText(rollout, state, report);
  process.stdout.write(`${lines.join("\n")}\n`);
  return rollout.broken ? exitCodes.failed : exitCodes.ok;
}

async function writeReportPage(id: string | undefined, options: ReportOptions, out: string): Promise<ExitCode> {
  const fleet = loadFleet(options.fleet);
  const database = databaseOf(fleet);
  try {
    const found = await readRollout(
      {
        folder: fleet.journal,
        fleet: fleet.name,
        journals: database.journalStore(),
        samples: () => database.sampleStore(new AbortController().signal),
      },
      id,
    );
    if (!found) throw noRollout(fleet.name, id);
    const timeline = new Timeline(found.record);
    const [held, nowMs] = [await isHeld(database), systemClock.nowMs()];
    const page = reportPage({ timeline, past: found.past, held, nowMs, version: packageVersion() });
    await writeReport(out, page, options.force === true);
    process.stderr.write(`glance-rollout: the report of ${found.past.rolloutId} is in ${out}\n`);
    return found.past.broken ? exitCodes.failed : exitCodes.ok;
  } finally {
    await database.close();
  }
}

function noRollout(fleet: string, id: string | undefined): ServiceError {
  const what = id === undefined ? `${fleet} has no rollout yet` : `${fleet} has no rollout ${id}`;
  return new ServiceError("rollout.fleet_invalid", `${what}; glance-rollout history lists them`);
}

async function read(
  options: Options,
  id?: string,
): Promise<{ fleet: Fleet; rollouts: readonly PastRollout[]; held: boolean }> {
  const fleet = loadFleet(options.fleet);
  const database = databaseOf(fleet);
  try {
    const rollouts = await readHistory(fleet.journal, fleet.name, database.journalStore(), id);
    return { fleet, rollouts, held: await isHeld(database) };
  } finally {
    await database.close();
  }
}

/** Where the database cannot be asked nobody is known to be at it. */
async function isHeld(database: DatabaseView): Promise<boolean> {
  try {
    return (await database.holder(new AbortController().signal)) !== undefined;
  } catch (error) {
    if (!isServiceError(error)) throw error;
    return false;
  }
}

function summary(rollout: PastRollout, state: RolloutState) {
  const { rolloutId, target, copies, broken } = rollout;
  const { began, last, seconds } = reportOf(rollout.events);
  return { rollout: rolloutId, target, state, began, last, seconds, copies, broken };
}

function historyTable(rollouts: readonly PastRollout[], states: readonly RolloutState[]): readonly string[] {
  if (rollouts.length === 0) return ["no rollout of this fleet has begun"];
  const rows = rollouts.map((one, index) => {
    const { began, seconds, pauses } = reportOf(one.events);
    const state = states[index] ?? "stopped";
    return [
      one.rolloutId,
      state,
      began,
      `${seconds} s`,
      String(pauses.length),
      String(one.events.length),
      journalText(one),
    ];
  });
  return textTable([["ROLLOUT", "STATE", "BEGAN", "TOOK", "PAUSES", "ENTRIES", "JOURNAL"], ...rows]);
}

function journalText({ broken, copies }: PastRollout): string {
  if (broken) return `broken at entry ${broken.seq} (${broken.copy}): ${broken.why}`;
  const places = [copies.database === null ? [] : ["database"], copies.disk === null ? [] : ["disk"]].flat();
  return `whole (${places.join(", ")})`;
}

function reportText(rollout: PastRollout, state: RolloutState, report: RolloutReport): readonly string[] {
  const listed = (title: string, lines: readonly string[]) => (lines.length > 0 ? ["", `${title}:`, ...lines] : []);
  const nodes = report.nodes.map(({ node, outSeconds, starts, failures }) => {
    return [node, outSeconds === null ? "-" : `${outSeconds} s`, String(starts), String(failures)];
  });
  return [
    `rollout  ${rollout.rolloutId}: ${state}`,
    `began    ${report.began}, last entry ${report.last} (${report.seconds} s)`,
    `backup   ${report.backup ?? "none"}`,
    `journal  ${journalText(rollout)}, ${rollout.events.length} entries, ${report.steps} steps`,
    ...listed(
      "phases",
      report.phases.map(({ phase, seconds }) => `  ${phase.padEnd(9)} ${seconds} s`),
    ),
    ...(nodes.length > 0 ? ["", ...textTable([["NODE", "OUT", "STARTS", "FAILURES"], ...nodes])] : []),
    ...listed(
      "failures",
      report.failures.map(({ seq, text }) => `  ${seq}  ${text}`),
    ),
    ...listed(
      "pauses",
      report.pauses.map(({ seq, time, text }) => `  ${seq}  ${time}  ${text}`),
    ),
    ...listed("last entries", rollout.events.slice(-5).map(eventText)),
  ];
}

// `glance-rollout pause | resume | abort`: what an operator asks of the rollout, from any host that reaches the database.
import { hostname, userInfo } from "node:os";
import type { Command } from "commander";
import { systemClock } from "../../core/clock.ts";
import { errorText, isServiceError, ServiceError } from "../../core/errors.ts";
import { createRolloutRequestRepository } from "../../db/repositories/rollout-request-repository.ts";
import { ensureTables } from "../../db/schema/own-tables.ts";
import { rolloutTables } from "../../db/schema/rollout-tables.ts";
import type { DatabaseView } from "../../rollout/database-view.ts";
import { type Fleet, loadFleet } from "../../rollout/fleet.ts";
import { acquireFleetLock } from "../../rollout/fleet-lock.ts";
import { Journal } from "../../rollout/journal.ts";
import { journalFolder } from "../../rollout/journal-disk.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { databaseOf } from "./rollout-parts.ts";

type Options = { fleet: string; json?: true };
type Run = (work: () => Promise<ExitCode>) => Promise<void>;

const abortMsMax = 600_000;
const abortPollMs = 1_000;

export function addRequestCommands(program: Command, run: Run): void {
  const add = (name: string, summary: string, description: string, act: (options: Options) => Promise<ExitCode>) =>
    program
      .command(name)
      .summary(summary)
      .description(description)
      .requiredOption("--fleet <file>", "the fleet file")
      .option("--json", "print one JSON object")
      .addHelpText("after", `\nExample:\n  glance-rollout ${name} --fleet /etc/glance/fleet.yaml`)
      .action((options: Options) => run(() => act(options)));
  add(
    "pause",
    "make the rollout wait before its next step",
    "The rollout waits before its next step, until resume. What is under way goes on: nodes that drain go on draining. It outlives the run: one that is started while it stands waits too.",
    runPause,
  );
  add("resume", "let a paused rollout go on", "Takes a pause back. Where no run is under way, start one.", runResume);
  add(
    "abort",
    "give the rollout up where it stands",
    "Ends the rollout before its next step: everything stays as it stands, and the next run begins a new rollout. To go back, use rollback instead. Returns when the rollout is over.",
    runAbort,
  );
}

/** For people: who, from where and when. */
export function askedBy(): string {
  const at = new Date().toISOString().replace(/\.\d+/, "");
  return `${userName()}@${hostname()} at ${at}`.slice(0, 255);
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without an entry in the password file, as containers have it.
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}

async function runPause(options: Options): Promise<ExitCode> {
  return withDatabase(options, async ({ database, signal }) => {
    await askRollout(database, "pause", askedBy(), signal);
    const holder = await database.holder(signal);
    const text = holder
      ? `${holder} waits before its next step; go on with glance-rollout resume`
      : "no run is under way; the next one waits until glance-rollout resume";
    tell(options, text, { request: "pause", running: holder !== undefined });
    return exitCodes.ok;
  });
}

async function runResume(options: Options): Promise<ExitCode> {
  return withDatabase(options, async ({ database, signal }) => {
    const was = await createRolloutRequestRepository(await database.open(signal)).takeBack("pause");
    const holder = await database.holder(signal);
    const next = holder ? `${holder} goes on` : `go on with: glance-rollout run --fleet ${options.fleet}`;
    tell(options, was ? `the pause is over; ${next}` : `nothing was paused; ${next}`, {
      request: null,
      running: holder !== undefined,
    });
    return exitCodes.ok;
  });
}

async function runAbort(options: Options): Promise<ExitCode> {
  return withDatabase(options, async ({ fleet, database, signal }) => {
    await askRollout(database, "abort", askedBy(), signal);
    const ended = await abortRollout(fleet, database, signal);
    const text =
      ended === "aborted" ? "the rollout is given up; everything stays as it stands" : "no rollout was under way";
    tell(options, text, { aborted: ended === "aborted" });
    return exitCodes.ok;
  });
}

/** Returns when the rollout that was asked to end has done so. Throws schema.locked where its run does not come to its next step in time. */
export async function abortRollout(
  fleet: Fleet,
  database: DatabaseView,
  signal: AbortSignal,
): Promise<"aborted" | "none"> {
  const requests = createRolloutRequestRepository(await database.open(signal));
  const deadlineMs = systemClock.monotonicMs() + abortMsMax;
  for (;;) {
    const ended = await endHere(fleet, database, signal);
    if (ended !== "running") return ended;
    if ((await requests.find())?.do !== "abort") return "aborted";
    if (systemClock.monotonicMs() > deadlineMs) {
      const message =
        "the run under way has not come to its next step yet; it ends there: follow it with glance-rollout status";
      throw new ServiceError("schema.locked", message);
    }
    await systemClock.sleep(abortPollMs, signal);
  }
}

/** Where no run is under way the journal is ended by us; `running` where there is one, which sees the request by itself. */
async function endHere(
  fleet: Fleet,
  database: DatabaseView,
  signal: AbortSignal,
): Promise<"aborted" | "none" | "running"> {
  try {
    const lock = acquireFleetLock(fleet.journal, fleet.name);
    try {
      await database.hold(signal);
      return await endJournal(fleet, database, signal);
    } finally {
      lock.release();
    }
  } catch (error) {
    if (isServiceError(error, "schema.locked")) return "running";
    throw error;
  }
}

async function endJournal(fleet: Fleet, database: DatabaseView, signal: AbortSignal): Promise<"aborted" | "none"> {
  const { name, target } = fleet;
  const about = {
    disk: journalFolder(fleet.journal),
    fleet: name,
    target,
    clock: systemClock,
    store: database.journalStore(),
    onEvent: () => undefined,
  };
  const requests = createRolloutRequestRepository(await database.open(signal));
  const told = (await requests.find())?.told ?? askedBy();
  const journal = await Journal.openUnfinished(about);
  const begun = journal !== undefined && journal.events.length > 0;
  try {
    const phase = journal?.events.at(-1)?.phase ?? "backup";
    const text = `given up by ${told}; everything stays as it stands`;
    if (begun) await journal.append({ kind: "decision", phase, text, data: { do: "abort" } });
  } finally {
    await journal?.close();
  }
  await requests.takeBack("abort");
  return begun ? "aborted" : "none";
}

/** `told`: who asks, from where and when. */
export async function askRollout(
  database: DatabaseView,
  request: "pause" | "abort",
  told: string,
  signal: AbortSignal,
): Promise<void> {
  const db = await database.open(signal);
  // An image service's database, or nothing is made in it.
  await database.look(signal);
  await ensureTables(db, rolloutTables);
  await createRolloutRequestRepository(db).ask({ do: request, told: told.slice(0, 255) });
}

async function withDatabase(
  options: Options,
  work: (of: { fleet: Fleet; database: DatabaseView; signal: AbortSignal }) => Promise<ExitCode>,
): Promise<ExitCode> {
  const fleet = loadFleet(options.fleet);
  const database = databaseOf(fleet);
  try {
    return await work({ fleet, database, signal: new AbortController().signal });
  } finally {
    await database.close().catch((error: unknown) => {
      process.stderr.write(`glance-rollout: ${errorText(error)}\n`);
    });
  }
}

function tell(options: Options, text: string, facts: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${options.json ? JSON.stringify({ ...facts, text }) : text}\n`);
}

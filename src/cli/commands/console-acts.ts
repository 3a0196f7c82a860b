// What a console is ordered, done by the means of the commands: a request that the run under way reads, a row that the data migration
// reads, or a command of its own where no run is under way. Who ordered it goes to the journal, with the request or as a note.

import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import type { ConsoleAct, DoAct } from "../../console/acts.ts";
import type { LiveDesk } from "../../console/live-desk.ts";
import { errorText, isServiceError, ServiceError } from "../../core/errors.ts";
import { commandScript } from "../../core/package-files.ts";
import { createRolloutRequestRepository } from "../../db/repositories/rollout-request-repository.ts";
import { controlMigration } from "../../db/schema/migrate-controls.ts";
import { ensureTables } from "../../db/schema/own-tables.ts";
import { rolloutTables } from "../../db/schema/rollout-tables.ts";
import type { DatabaseView } from "../../rollout/database-view.ts";
import type { Fleet } from "../../rollout/fleet.ts";
import { changesText } from "./migrate-limits.ts";
import { databaseOf } from "./rollout-parts.ts";
import { abortRollout, askedBy, askRollout } from "./rollout-request.ts";

type ActsOf = {
  readonly fleet: Fleet;
  readonly database: DatabaseView;
  readonly desk: LiveDesk;
  /** What is begun in the background stops being waited for. */
  readonly signal: AbortSignal;
  readonly background: Set<Promise<void>>;
};

/** The file that commands write to which a console has started. */
export const commandLog = (fleet: Pick<Fleet, "journal" | "name">) => join(fleet.journal, `${fleet.name}-console.log`);

export type ConsoleActs = {
  readonly doAct: DoAct;
  /** Resolves when what was begun in the background is through. */
  settled(): Promise<unknown>;
};

export function consoleActs(given: Omit<ActsOf, "background">): ConsoleActs {
  const background = new Set<Promise<void>>();
  const doAct = doActOf({ ...given, background });
  return { doAct, settled: () => Promise.allSettled(background) };
}

function doActOf(of: ActsOf): DoAct {
  return async (act, who) => {
    const told = `${who} by console, ${askedBy()}`;
    switch (act.act) {
      case "pause":
        await askRollout(of.database, "pause", told, of.signal);
        return "The rollout waits before its next step.";
      case "resume":
        return resume(of, told);
      case "abort":
        await askRollout(of.database, "abort", told, of.signal);
        inBackground(of, endRollout(of));
        return "The rollout ends before its next step.";
      case "rollback":
        return rollBack(of, told);
      case "contract":
        await refuseRunning(of);
        await note(of, `contract was confirmed by ${told}`);
        startCommand(of, "run");
        return "The contract begins; the journal tells how it goes on.";
      case "migrate-pause":
      case "migrate-resume":
      case "migrate-limits":
        return controlMigrate(of, act, told);
    }
  };
}

async function resume(of: ActsOf, told: string): Promise<string> {
  const db = await of.database.open(of.signal);
  const was = await createRolloutRequestRepository(db).takeBack("pause");
  const isRunning = (await of.database.holder(of.signal)) !== undefined;
  if (!was && isRunning) return "Nothing was paused; the run goes on.";
  await note(of, `resumed by ${told}`);
  if (isRunning) return "The pause is over; the run goes on.";
  startCommand(of, "run");
  return "A run was started, which goes on with the rollout.";
}

/** A run under way ends first: two ways at once there cannot be. */
async function rollBack(of: ActsOf, told: string): Promise<string> {
  const isRunning = (await of.database.holder(of.signal)) !== undefined;
  await note(of, `rollback was ordered by ${told}`);
  if (!isRunning) {
    startCommand(of, "rollback");
    return "The way back begins; the journal tells how it goes on.";
  }
  await askRollout(of.database, "abort", told, of.signal);
  inBackground(
    of,
    endRollout(of).then(() => startCommand(of, "rollback")),
  );
  return "The run under way ends before its next step; then the way back begins.";
}

async function controlMigrate(of: ActsOf, act: ConsoleAct, told: string): Promise<string> {
  const db = await of.database.open(of.signal);
  const change = act.act === "migrate-limits" ? { limits: act.limits } : { paused: act.act === "migrate-pause" };
  const { paused, limits } = await controlMigration(db, change);
  const done =
    act.act === "migrate-limits"
      ? `its limits were changed to ${changesText(limits)}`
      : paused
        ? "it was paused"
        : "it was resumed";
  await note(of, `data migration: ${done} by ${told}`);
  return `Data migration: ${done}.`;
}

async function refuseRunning({ database, signal }: ActsOf): Promise<void> {
  const holder = await database.holder(signal);
  if (holder !== undefined)
    throw new ServiceError(
      "schema.locked",
      `${holder} is at the rollout and does it by itself; pause it if it is to wait`,
    );
}

/** The run that is under way or the next one writes it down. */
async function note({ database, signal }: ActsOf, text: string): Promise<void> {
  const db = await database.open(signal);
  // An image service's database, or nothing is made in it.
  await database.look(signal);
  await ensureTables(db, rolloutTables);
  await createRolloutRequestRepository(db).leaveNote(text);
}

/** As an operator would, in a process of its own, which outlives this console. */
function startCommand({ fleet, desk }: ActsOf, command: "run" | "rollback"): void {
  mkdirSync(fleet.journal, { recursive: true });
  const log = openSync(commandLog(fleet), "a", 0o640);
  const args = [commandScript("glance-rollout"), command, "--fleet", fleet.file, "--yes", "--json"];
  const child = spawn(process.execPath, args, { detached: true, stdio: ["ignore", "ignore", log] });
  closeSync(log);
  child.once("error", (error) => desk.note(`glance-rollout ${command} could not be started: ${errorText(error)}.`));
  child.once("exit", (code) => {
    if (code !== 0)
      desk.note(`glance-rollout ${command} ended with ${code ?? "a signal"}; ${commandLog(fleet)} has what it said.`);
  });
  child.unref();
}

/** Where nobody is at the rollout any more it is ended here, under the lease; a connection of its own gives that back at once. */
async function endRollout({ fleet, signal }: ActsOf): Promise<void> {
  const database = databaseOf(fleet);
  try {
    await abortRollout(fleet, database, signal);
  } finally {
    await database.close();
  }
}

function inBackground({ desk, signal, background }: ActsOf, work: Promise<void>): void {
  const watched = work
    .catch((error: unknown) => {
      if (signal.aborted) return;
      if (!isServiceError(error)) throw error;
      desk.note(errorText(error));
    })
    .finally(() => background.delete(watched));
  background.add(watched);
}

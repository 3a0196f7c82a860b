// The journals of rollouts as they lie on disk: one file for each rollout, one JSON object a line. A line that was cut short by a crash
// was never acknowledged, and readers leave it out.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorText, ServiceError } from "../core/errors.ts";
import { parseEntry } from "./journal-chain.ts";
import type { JournalEvent } from "./journal-event.ts";

export type JournalFile = {
  /** `FLEET-TARGET-STAMP`: names the rollout, its journal and its backup. */
  readonly rolloutId: string;
  readonly path: string;
  readonly events: readonly JournalEvent[];
  /** The entries as they stand in the file. */
  readonly lines: readonly string[];
  /** Bytes of complete lines. */
  readonly bytes: number;
};

export const journalEnding = ".jsonl";

/** The parts of a rollout's name; undefined where it is none. */
export function parseRolloutId(id: string): { fleet: string; target: string; stamp: string } | undefined {
  const [, fleet, target, stamp] = /^(.+)-([^-]+)-(\d{8}T\d{6}Z(?:-\d+)?)$/.exec(id) ?? [];
  return fleet && target && stamp ? { fleet, target, stamp } : undefined;
}

/** The journals of this fleet, of one target or of all, oldest first. An absent folder holds none. */
export async function readJournals(folder: string, fleet: string, target?: string): Promise<readonly JournalFile[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw unusable(folder, error);
  }
  const own = names.flatMap((name) => {
    if (!name.endsWith(journalEnding)) return [];
    const id = parseRolloutId(name.slice(0, -journalEnding.length));
    return id?.fleet === fleet && (target === undefined || id.target === target) ? [{ name, stamp: id.stamp }] : [];
  });
  own.sort((a, b) => compareStamps(a.stamp, b.stamp));
  return Promise.all(own.map(({ name }) => readJournal(join(folder, name))));
}

/** Two rollouts of one second have a counter; `20261126T120000Z-10` is younger than `-9`. */
export function compareStamps(a: string, b: string): number {
  const [timeA = "", countA = "0"] = a.split("-");
  const [timeB = "", countB = "0"] = b.split("-");
  return timeA === timeB ? Number(countA) - Number(countB) : timeA < timeB ? -1 : 1;
}

export async function readJournal(path: string): Promise<JournalFile> {
  const data = await readFile(path).catch((error: unknown) => {
    throw unusable(path, error);
  });
  const bytes = data.lastIndexOf(0x0a) + 1;
  const lines = data.toString("utf8", 0, bytes).split("\n").slice(0, -1);
  const events = lines.map((line, index): JournalEvent => {
    const event = parseEntry(line);
    if (event) return event;
    throw unusable(path, new Error(`line ${index + 1} is no entry; put it right or move the file away`));
  });
  const rolloutId = path.slice(path.lastIndexOf("/") + 1, -journalEnding.length);
  return { rolloutId, path, events, lines, bytes };
}

/** Whether the rollout came to an end; one that was paused, stopped or killed has not. */
export function isFinished(journal: { readonly events: readonly JournalEvent[] }): boolean {
  return journal.events.some(isEnd);
}

/** finish: done. abort: given up where it stands. */
export function isEnd(event: JournalEvent): boolean {
  const step = event.data?.do;
  return event.kind === "decision" && (step === "abort" || (event.phase === "done" && step === "finish"));
}

export function unusable(path: string, error: unknown): ServiceError {
  return new ServiceError("rollout.fleet_invalid", `the journal ${path} cannot be used: ${errorText(error)}`, {
    facts: { path },
    cause: error,
  });
}

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
  const names = await journalNames(folder, fleet, (id) => target === undefined || id.target === target);
  return Promise.all(names.map((name) => readJournal(join(folder, name))));
}

export type JournalText = Pick<JournalFile, "rolloutId" | "lines"> & {
  /** What stands after the last whole line was never acknowledged. */
  readonly torn: boolean;
};

/** The same for who only tells of them: lines are not checked, because one that is damaged is to be told of too. */
export async function readJournalTexts(folder: string, fleet: string, only?: string): Promise<readonly JournalText[]> {
  const names = await journalNames(folder, fleet, (_id, rolloutId) => only === undefined || rolloutId === only);
  return Promise.all(names.map((name) => readText(folder, name)));
}

/** The newest of this fleet and target alone; undefined where there is none. */
export async function readNewestText(folder: string, fleet: string, target: string): Promise<JournalText | undefined> {
  const newest = (await journalNames(folder, fleet, (id) => id.target === target)).at(-1);
  return newest === undefined ? undefined : readText(folder, newest);
}

async function readText(folder: string, name: string): Promise<JournalText> {
  const { lines, torn } = await readWhole(join(folder, name));
  return { rolloutId: name.slice(0, -journalEnding.length), lines, torn };
}

type RolloutName = NonNullable<ReturnType<typeof parseRolloutId>>;

async function journalNames(
  folder: string,
  fleet: string,
  isWanted: (id: RolloutName, rolloutId: string) => boolean,
): Promise<readonly string[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw unusable(folder, error);
  }
  const own = names.flatMap((name) => {
    if (!name.endsWith(journalEnding)) return [];
    const rolloutId = name.slice(0, -journalEnding.length);
    const id = parseRolloutId(rolloutId);
    return id?.fleet === fleet && isWanted(id, rolloutId) ? [{ name, stamp: id.stamp }] : [];
  });
  own.sort((a, b) => compareStamps(a.stamp, b.stamp));
  return own.map(({ name }) => name);
}

/** Two rollouts of one second have a counter; `20261126T120000Z-10` is younger than `-9`. */
export function compareStamps(a: string, b: string): number {
  const [timeA = "", countA = "0"] = a.split("-");
  const [timeB = "", countB = "0"] = b.split("-");
  return timeA === timeB ? Number(countA) - Number(countB) : timeA < timeB ? -1 : 1;
}

export async function readJournal(path: string): Promise<JournalFile> {
  const { lines, bytes } = await readWhole(path);
  const events = lines.map((line, index): JournalEvent => {
    const event = parseEntry(line);
    if (event) return event;
    throw unusable(path, new Error(`line ${index + 1} is no entry; put it right or move the file away`));
  });
  const rolloutId = path.slice(path.lastIndexOf("/") + 1, -journalEnding.length);
  return { rolloutId, path, events, lines, bytes };
}

async function readWhole(path: string): Promise<{ lines: readonly string[]; bytes: number; torn: boolean }> {
  const data = await readFile(path).catch((error: unknown) => {
    throw unusable(path, error);
  });
  const bytes = data.lastIndexOf(0x0a) + 1;
  return { lines: data.toString("utf8", 0, bytes).split("\n").slice(0, -1), bytes, torn: bytes < data.length };
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

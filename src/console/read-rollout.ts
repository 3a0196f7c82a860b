// Reads all there is of one rollout: both copies of its journal and its samples. What cannot be read is said, and nothing else is lost by it.
import { errorText, isServiceError } from "../core/errors.ts";
import type { RolloutSampleRepository } from "../db/repositories/rollout-sample-repository.ts";
import type { JournalStore } from "../rollout/journal-store.ts";
import { type PastRollout, readHistory } from "../rollout/rollout-history.ts";
import type { SampleSeries } from "../rollout/samples/sample.ts";
import { readSamples } from "../rollout/samples/sample-store.ts";
import type { RolloutRecord } from "./timeline.ts";

export type RolloutSources = {
  /** Of the journals on disk. */
  readonly folder: string;
  readonly fleet: string;
  readonly journals: Pick<JournalStore, "list" | "read">;
  /** Rejects where the database cannot be asked. */
  readonly samples: () => Promise<Pick<RolloutSampleRepository, "read">>;
};

export type ReadRollout = {
  readonly record: RolloutRecord;
  readonly past: PastRollout;
  readonly samples: SampleSeries;
};

/** The newest one where none is named; undefined where there is none of that name. */
export async function readRollout(sources: RolloutSources, rolloutId?: string): Promise<ReadRollout | undefined> {
  const { folder, fleet, journals } = sources;
  const past = (await readHistory(folder, fleet, journals, rolloutId)).at(-1);
  if (!past) return undefined;
  const notes = [...notesOf(past)];
  let samples: SampleSeries = { fleet: [], nodes: [] };
  try {
    samples = await readSamples(await sources.samples(), past.rolloutId);
  } catch (error) {
    if (!isServiceError(error)) throw error;
    notes.push(`What was recorded of traffic and nodes cannot be read (${errorText(error)}).`);
  }
  // Parsed once more only to count what is no entry.
  const entries = past.events.length === past.lines.length ? past.events : past.lines.map(parse);
  const record = { rolloutId: past.rolloutId, fleet, target: past.target, entries, samples, notes };
  return { record, past, samples };
}

function notesOf({ broken, copies, torn }: PastRollout): readonly string[] {
  const where = { database: "in the database", disk: "on disk" };
  const notes: string[] = [];
  if (broken)
    notes.push(
      `The journal ${where[broken.copy]} is not as it was written from entry ${broken.seq} on: ${broken.why}. What follows may not be true.`,
    );
  if (torn)
    notes.push("The journal on disk ends in the middle of a line, which was left out: it was never acknowledged.");
  const { database, disk } = copies;
  if (database === null)
    notes.push("The journal's copy in the database does not exist or cannot be asked; this is the one on disk.");
  else if (disk !== null && database !== disk) {
    const [shorter, missing] = database < disk ? ["in the database", disk - database] : ["on disk", database - disk];
    notes.push(`The journal's copy ${shorter} is behind by ${missing} entries; the longer one is shown.`);
  }
  return notes;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // Counted by the reader, which says so.
    return undefined;
  }
}

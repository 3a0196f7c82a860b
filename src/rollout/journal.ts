// The journal of a rollout on disk: one file for each rollout, one JSON object a line, on disk before the next thing is done. A line
// that was cut short by a crash was never acknowledged: it is cut off when the file is opened again, and left out by readers.
import { type FileHandle, mkdir, open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { errorText, ServiceError } from "../core/errors.ts";
import type { JournalEvent, JournalWriter, NewEvent } from "./journal-event.ts";

export type JournalFile = {
  /** `FLEET-TARGET-STAMP`: names the rollout, its journal and its backup. */
  readonly rolloutId: string;
  readonly path: string;
  readonly events: readonly JournalEvent[];
  /** Bytes of complete lines. */
  readonly bytes: number;
};

const ending = ".jsonl";

/** The journals of this fleet and target, oldest first. An absent folder holds none. */
export async function readJournals(folder: string, fleet: string, target: string): Promise<readonly JournalFile[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw unusable(folder, error);
  }
  const stamp = /^\d{8}T\d{6}Z(-\d+)?$/;
  const prefix = `${fleet}-${target}-`;
  const own = names.filter((name) => {
    if (!name.startsWith(prefix) || !name.endsWith(ending)) return false;
    return stamp.test(name.slice(prefix.length, -ending.length));
  });
  return Promise.all(own.sort().map((name) => readJournal(join(folder, name))));
}

async function readJournal(path: string): Promise<JournalFile> {
  const data = await readFile(path).catch((error: unknown) => {
    throw unusable(path, error);
  });
  const bytes = data.lastIndexOf(0x0a) + 1;
  const lines = data.toString("utf8", 0, bytes).split("\n").slice(0, -1);
  const events = lines.map((line, index): JournalEvent => {
    try {
      return JSON.parse(line) as JournalEvent;
    } catch (error) {
      throw unusable(
        path,
        new Error(`line ${index + 1} is no entry (${errorText(error)}); put it right or move the file away`),
      );
    }
  });
  const rolloutId = path.slice(path.lastIndexOf("/") + 1, -ending.length);
  return { rolloutId, path, events, bytes };
}

/** Whether the rollout came to its end; one that was paused, stopped or killed has not. */
export function isFinished(journal: JournalFile): boolean {
  return journal.events.some((event) => event.phase === "done" && event.data?.do === "finish");
}

/** An open journal. */
export class Journal implements JournalWriter {
  readonly rolloutId: string;
  readonly #file: FileHandle;
  readonly #clock: Clock;
  readonly #onEvent: (event: JournalEvent) => void;
  #seq: number;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(file: FileHandle, journal: JournalFile, clock: Clock, onEvent: (event: JournalEvent) => void) {
    this.rolloutId = journal.rolloutId;
    this.#file = file;
    this.#seq = journal.events.at(-1)?.seq ?? 0;
    this.#clock = clock;
    this.#onEvent = onEvent;
  }

  /** Goes on with the newest rollout to this target that has not ended, else begins one. `onEvent` sees each entry once it is on disk. */
  static async open(options: {
    folder: string;
    fleet: string;
    target: string;
    clock: Clock;
    onEvent: (event: JournalEvent) => void;
  }): Promise<Journal> {
    const { folder, fleet, target, clock, onEvent } = options;
    try {
      await mkdir(folder, { recursive: true });
      const newest = (await readJournals(folder, fleet, target)).at(-1);
      if (newest && !isFinished(newest)) {
        const file = await open(newest.path, "r+");
        await file.truncate(newest.bytes);
        return new Journal(await reopened(file, newest.path), newest, clock, onEvent);
      }
      const stamp = new Date(clock.nowMs()).toISOString().replace(/\.\d+/, "").replaceAll(/[-:]/g, "");
      for (let attempt = 0; ; attempt++) {
        const rolloutId = `${fleet}-${target}-${stamp}${attempt === 0 ? "" : `-${attempt}`}`;
        const path = join(folder, `${rolloutId}${ending}`);
        try {
          const file = await open(path, "ax", 0o640);
          return new Journal(file, { rolloutId, path, events: [], bytes: 0 }, clock, onEvent);
        } catch (error) {
          if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
        }
      }
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      throw unusable(folder, error);
    }
  }

  append(event: NewEvent): Promise<JournalEvent> {
    const written = this.#last.then(async () => {
      const whole: JournalEvent = { seq: ++this.#seq, time: new Date(this.#clock.nowMs()).toISOString(), ...event };
      try {
        await this.#file.appendFile(`${JSON.stringify(whole)}\n`);
        await this.#file.datasync();
      } catch (error) {
        throw unusable(this.rolloutId, error);
      }
      this.#onEvent(whole);
      return whole;
    });
    // The next entry is written whatever became of this one; its writer hears of it.
    this.#last = written.catch(() => undefined);
    return written;
  }

  /** Safe to call twice. */
  async close(): Promise<void> {
    await this.#last;
    await this.#file.close();
  }
}

async function reopened(file: FileHandle, path: string): Promise<FileHandle> {
  await file.sync();
  await file.close();
  return open(path, "a");
}

function unusable(path: string, error: unknown): ServiceError {
  return new ServiceError("rollout.fleet_invalid", `the journal ${path} cannot be used: ${errorText(error)}`, {
    facts: { path },
    cause: error,
  });
}

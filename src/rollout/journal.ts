// The journal of a rollout while it is written: each entry is in the database, where that answers, and on disk before the next thing is
// done. Opening it brings both copies together, so that a rollout goes on from another folder or host.
import type { Clock } from "../core/clock.ts";
import { ServiceError } from "../core/errors.ts";
import type { StoredRollout } from "../db/repositories/rollout-journal-repository.ts";
import { type ChainedLine, chainLine, chainStart, findBreak, hashOf, parseEntry } from "./journal-chain.ts";
import type { JournalDisk, JournalPen } from "./journal-disk.ts";
import type { JournalEvent, JournalWriter, NewEvent } from "./journal-event.ts";
import { compareStamps, isEnd, isFinished, type JournalFile, parseRolloutId } from "./journal-file.ts";
import { JournalMirror, type JournalStore } from "./journal-store.ts";

export type OpenJournalOptions = {
  readonly disk: JournalDisk;
  readonly fleet: string;
  readonly target: string;
  readonly clock: Clock;
  /** Sees each entry once it is kept. */
  readonly onEvent: (event: JournalEvent) => void;
  readonly store: JournalStore;
};

/** An open journal. */
export class Journal implements JournalWriter {
  readonly rolloutId: string;
  /** Those that were there when it was opened, and all since. */
  readonly events: JournalEvent[];
  readonly #pen: JournalPen;
  readonly #clock: Clock;
  readonly #onEvent: (event: JournalEvent) => void;
  readonly #mirror: JournalMirror;
  #previous: string;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    pen: JournalPen,
    id: string,
    lines: readonly string[],
    mirror: JournalMirror,
    of: OpenJournalOptions,
  ) {
    this.rolloutId = id;
    this.#pen = pen;
    this.events = lines.flatMap((line) => parseEntry(line) ?? []);
    const last = lines.at(-1);
    this.#previous = last === undefined ? chainStart(id) : hashOf(last);
    this.#clock = of.clock;
    this.#onEvent = of.onEvent;
    this.#mirror = mirror;
  }

  /**
   * Goes on with the newest rollout to this target that has not ended, as the database has it or this folder, else begins one.
   * Throws rollout.fleet_invalid where the folder cannot be used, rollout.lease_lost, and the database's errors.
   */
  static async open(options: OpenJournalOptions): Promise<Journal> {
    const { disk, fleet, target, clock, store } = options;
    const going = await Journal.openUnfinished(options);
    if (going) return going;
    const taken = [...(await disk.read(fleet, target)), ...(await store.list())];
    const names = new Set(taken.map(({ rolloutId }) => rolloutId));
    return Journal.#begin(options, newName(`${fleet}-${target}`, clock.nowMs(), names));
  }

  /** The same, but begins none: undefined where there is nothing to go on with. */
  static async openUnfinished(options: OpenJournalOptions): Promise<Journal | undefined> {
    const { disk, fleet, target, store, clock } = options;
    const [files, stored] = [await disk.read(fleet, target), await store.list()];
    const over = rolloutsOver(stored);
    for (const file of files.filter((one) => isFinished(one) && !over.has(one.rolloutId)))
      await catchUp(store, file, clock);
    const going = newestUnfinished(files, stored, { fleet, target });
    if (going === undefined) return undefined;
    return Journal.#goOn(
      options,
      going,
      files.find((file) => file.rolloutId === going),
    );
  }

  static async #begin(options: OpenJournalOptions, id: string): Promise<Journal> {
    const mirror = new JournalMirror(options.store, id, [], options.clock);
    return new Journal(await options.disk.begin(id), id, [], mirror, options);
  }

  static async #goOn(options: OpenJournalOptions, id: string, file: JournalFile | undefined): Promise<Journal> {
    const stored = (await options.store.read(id)).map(({ entry }) => entry);
    const onDisk = file?.lines ?? [];
    const common = Math.min(stored.length, onDisk.length);
    const forked = stored.slice(0, common).some((line, index) => line !== onDisk[index]);
    // The database's copy is written under the lease, so it is the one that counts; the other one is kept for whoever wants to know.
    const lines = forked || stored.length > onDisk.length ? stored : onDisk;
    const missing = forked ? stored : stored.slice(onDisk.length);
    const pen = await options.disk.goOn(id, { file, forked, missing });
    const waiting = lines.slice(stored.length).flatMap(toChained);
    const journal = new Journal(pen, id, lines, new JournalMirror(options.store, id, waiting, options.clock), options);
    await journal.#mirror.flush();
    await journal.#noteWhatIsWrong(lines, forked);
    return journal;
  }

  async #noteWhatIsWrong(lines: readonly string[], forked: boolean): Promise<void> {
    const phase = this.events.at(-1)?.phase ?? "backup";
    const note = async (text: string, data: Record<string, unknown>) => {
      const told = this.events.some((event) => event.text === text);
      if (!told) await this.append({ kind: "observation", phase, text, data });
    };
    if (forked) {
      await note("the journal in this folder had entries that the database's does not have; it was put aside", {
        forked,
      });
    }
    const broken = findBreak(this.rolloutId, lines);
    if (broken) await note(`the journal is broken at entry ${broken.seq}: ${broken.why}`, { broken: broken.seq });
  }

  append(event: NewEvent): Promise<JournalEvent> {
    const written = this.#last.then(async () => {
      const seq = (this.events.at(-1)?.seq ?? 0) + 1;
      const line = chainLine({ seq, time: new Date(this.#clock.nowMs()).toISOString(), ...event }, this.#previous);
      // The database first: whoever has lost the lease must not write that it goes on.
      await this.#mirror.add(line);
      await this.#pen.append(`${line.entry}\n`);
      this.#previous = line.hash;
      const whole = JSON.parse(line.entry) as JournalEvent;
      this.events.push(whole);
      this.#onEvent(whole);
      return whole;
    });
    // The next entry is written whatever became of this one; its writer hears of it.
    this.#last = written.catch(() => undefined);
    return written;
  }

  /** Writes what waits for the database, where that answers now. Safe to call twice. */
  async close(): Promise<void> {
    await this.#last;
    try {
      await this.#mirror.flush();
    } catch (error) {
      // Somebody else's by now; what they wrote counts.
      if (!(error instanceof ServiceError)) throw error;
    } finally {
      await this.#pen.close();
    }
  }
}

function newestUnfinished(
  files: readonly JournalFile[],
  stored: readonly StoredRollout[],
  of: { fleet: string; target: string },
): string | undefined {
  const known = stored.filter(({ rolloutId }) => {
    const id = parseRolloutId(rolloutId);
    return id?.fleet === of.fleet && id.target === of.target;
  });
  const over = new Set([...rolloutsOver(known), ...files.filter(isFinished).map((file) => file.rolloutId)]);
  const candidates = [...known, ...files].map(({ rolloutId }) => rolloutId).filter((id) => !over.has(id));
  const stampOf = (id: string) => parseRolloutId(id)?.stamp ?? "";
  return candidates.sort((a, b) => compareStamps(stampOf(b), stampOf(a)))[0];
}

function rolloutsOver(stored: readonly StoredRollout[]): ReadonlySet<string> {
  const over = stored.filter(({ last }) => {
    const event = parseEntry(last);
    return event !== undefined && isEnd(event);
  });
  return new Set(over.map(({ rolloutId }) => rolloutId));
}

/** What ended on this disk while the database was away is written there now. */
async function catchUp(store: JournalStore, file: JournalFile, clock: Clock): Promise<void> {
  const stored = await store.read(file.rolloutId);
  if (stored.some(({ entry }, index) => entry !== file.lines[index])) return;
  const waiting = file.lines.slice(stored.length).flatMap(toChained);
  const mirror = new JournalMirror(store, file.rolloutId, waiting, clock);
  await mirror.flush();
}

function toChained(entry: string): ChainedLine[] {
  const event = parseEntry(entry);
  return event ? [{ seq: event.seq, hash: hashOf(entry), entry }] : [];
}

function newName(prefix: string, nowMs: number, taken: ReadonlySet<string>): string {
  const stamp = new Date(nowMs).toISOString().replace(/\.\d+/, "").replaceAll(/[-:]/g, "");
  for (let attempt = 0; ; attempt++) {
    const id = `${prefix}-${stamp}${attempt === 0 ? "" : `-${attempt}`}`;
    if (!taken.has(id)) return id;
  }
}

// Looks at a rollout from outside, as `glance-rollout status` does, and keeps a console's desk up to date: the fleet about once a second,
// the journal twice. Whatever cannot be asked is said on the page, and asked again.

import type { LiveDesk } from "../../console/live-desk.ts";
import { systemClock } from "../../core/clock.ts";
import { errorText, isServiceError } from "../../core/errors.ts";
import { readControls } from "../../db/schema/migrate-controls.ts";
import { DatabaseProgress } from "../../db/schema/progress-store.ts";
import type { DatabaseView } from "../../rollout/database-view.ts";
import type { Fleet } from "../../rollout/fleet.ts";
import { FleetWorld } from "../../rollout/fleet-world.ts";
import { JournalTail } from "../../rollout/journal-tail.ts";
import { readFleetSamples } from "../../rollout/samples/sample-store.ts";
import { wireRollout } from "./rollout-parts.ts";

const lookEveryMs = 1_000;
const readEveryMs = 500;

/** Until `signal` aborts. Throws programmer's mistakes only. */
export async function watchFleet(
  fleet: Fleet,
  database: DatabaseView,
  desk: LiveDesk,
  signal: AbortSignal,
): Promise<void> {
  const tail = new JournalTail(fleet, database.journalStore());
  const world = new FleetWorld(wireRollout(fleet, { rolloutId: "console", database, journaled: () => desk.entries }));
  const samples = new SampleTail(database, desk);
  await Promise.all([
    repeat(lookEveryMs, signal, async () => {
      try {
        desk.look(await world.look(signal));
      } catch (error) {
        if (!isServiceError(error)) throw error;
        desk.blind(errorText(error));
      }
    }),
    repeat(readEveryMs, signal, async () => {
      try {
        const { rollout, entries, isNew, notes } = await tail.read();
        if (isNew && rollout !== null) desk.open(rollout, entries, notes);
        else desk.add(entries, notes);
      } catch (error) {
        if (!isServiceError(error)) throw error;
        desk.add([], [`The journal cannot be read: ${errorText(error)}.`]);
      }
    }),
    repeat(lookEveryMs, signal, () => samples.read(signal)),
    repeat(lookEveryMs, signal, async () => {
      try {
        const db = await database.open(signal);
        const [holder, migrate] = [
          await database.holder(signal),
          await readControls(await DatabaseProgress.reader(db)),
        ];
        desk.tell({ holder: holder ?? null, migrate: { paused: migrate.paused, limits: { ...migrate.limits } } });
      } catch (error) {
        // The look says what is wrong with the database; who runs the rollout is not known then.
        if (!isServiceError(error)) throw error;
        desk.tell({ holder: null, migrate: null });
      }
    }),
  ]);
}

/** The traffic that the run under way keeps. */
class SampleTail {
  readonly #database: DatabaseView;
  readonly #desk: LiveDesk;
  #rollout: string | null = null;
  #last = 0;

  constructor(database: DatabaseView, desk: LiveDesk) {
    this.#database = database;
    this.#desk = desk;
  }

  async read(signal: AbortSignal): Promise<void> {
    const { rollout } = this.#desk.head;
    if (rollout === null) return;
    if (rollout !== this.#rollout) this.#last = 0;
    this.#rollout = rollout;
    try {
      const { fleet, last } = await readFleetSamples(await this.#database.sampleStore(signal), rollout, this.#last);
      // Meanwhile another rollout may be the one that is shown.
      if (this.#desk.head.rollout !== rollout) return;
      this.#last = last;
      this.#desk.addSamples(fleet);
    } catch (error) {
      // The look says what is wrong with the database.
      if (!isServiceError(error)) throw error;
    }
  }
}

async function repeat(everyMs: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    try {
      await work();
      await systemClock.sleep(everyMs, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

// Past rollouts for the console, from both copies of their journals.
import type { PastRollouts, RolloutSummary } from "../../console/past-rollouts.ts";
import { isServiceError } from "../../core/errors.ts";
import type { DatabaseView } from "../../rollout/database-view.ts";
import type { Fleet } from "../../rollout/fleet.ts";
import { parseRolloutId } from "../../rollout/journal-file.ts";
import { type PastRollout, readHistory, reportOf, stateOf } from "../../rollout/rollout-history.ts";
import type { SampleSeries } from "../../rollout/samples/sample.ts";
import { readSamples } from "../../rollout/samples/sample-store.ts";

export function pastRollouts(fleet: Fleet, database: DatabaseView): PastRollouts {
  const read = (only?: string) => readHistory(fleet.journal, fleet.name, database.journalStore(), only);
  return {
    async list() {
      const [rollouts, isHeld] = [await read(), await held(database)];
      return rollouts.toReversed().map((one, index) => summaryOf(one, isHeld && index === 0));
    },
    async find(id) {
      if (parseRolloutId(id)?.fleet !== fleet.name) return undefined;
      const [found] = await read(id);
      if (!found) return undefined;
      const samples = await samplesOf(id, database);
      return {
        ...summaryOf(found, await held(database)),
        fleet: fleet.name,
        events: found.events,
        samples: samples.fleet,
        nodes: samples.nodes.map(({ atMs, read: seen }) => ({ atMs, seen: seen() })),
      };
    },
  };
}

function summaryOf(rollout: PastRollout, isHeld: boolean): RolloutSummary {
  const { rolloutId, target, events, broken } = rollout;
  const { began, last, seconds, pauses } = reportOf(events);
  const state = stateOf(events, isHeld);
  return {
    rollout: rolloutId,
    target,
    state,
    began,
    last,
    seconds,
    pauses: pauses.length,
    entries: events.length,
    broken,
  };
}

/** None where the database cannot be asked: they are kept nowhere else. */
async function samplesOf(id: string, database: DatabaseView): Promise<SampleSeries> {
  try {
    return await readSamples(await database.sampleStore(new AbortController().signal), id);
  } catch (error) {
    if (!isServiceError(error)) throw error;
    return { fleet: [], nodes: [] };
  }
}

/** Where the database cannot be asked nobody is known to be at it. */
async function held(database: DatabaseView): Promise<boolean> {
  try {
    return (await database.holder(new AbortController().signal)) !== undefined;
  } catch (error) {
    if (!isServiceError(error)) throw error;
    return false;
  }
}

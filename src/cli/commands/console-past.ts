// Past rollouts for the console, from both copies of their journals.
import type { PastRollouts, RolloutSummary } from "../../console/past-rollouts.ts";
import { readRollout } from "../../console/read-rollout.ts";
import { isServiceError } from "../../core/errors.ts";
import type { DatabaseView } from "../../rollout/database-view.ts";
import type { Fleet } from "../../rollout/fleet.ts";
import { parseRolloutId } from "../../rollout/journal-file.ts";
import { type PastRollout, readHistory, reportOf, stateOf } from "../../rollout/rollout-history.ts";

export function pastRollouts(fleet: Fleet, database: DatabaseView): PastRollouts {
  const journals = database.journalStore();
  const samples = () => database.sampleStore(new AbortController().signal);
  return {
    async list() {
      const rollouts = await readHistory(fleet.journal, fleet.name, journals);
      const isHeld = await held(database);
      return rollouts.toReversed().map((one, index) => summaryOf(one, isHeld && index === 0));
    },
    async find(id) {
      if (parseRolloutId(id)?.fleet !== fleet.name) return undefined;
      const found = await readRollout({ folder: fleet.journal, fleet: fleet.name, journals, samples }, id);
      if (!found) return undefined;
      const { record, past } = found;
      return {
        ...summaryOf(past, await held(database)),
        fleet: fleet.name,
        lines: record.entries,
        notes: record.notes,
        samples: record.samples.fleet,
        nodes: record.samples.nodes.map(({ atMs, read: seen }) => ({ atMs, seen: seen() })),
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

/** Where the database cannot be asked nobody is known to be at it. */
async function held(database: DatabaseView): Promise<boolean> {
  try {
    return (await database.holder(new AbortController().signal)) !== undefined;
  } catch (error) {
    if (!isServiceError(error)) throw error;
    return false;
  }
}

// Who is told of a rollout while it runs, besides its screen: the fleet file's webhook and hooks, and Prometheus. None of them can hold it
// up or stop it; what goes wrong with one is said on standard error.
import { join } from "node:path";
import { systemClock } from "../../core/clock.ts";
import { errorText } from "../../core/errors.ts";
import { destinationsOf } from "../../rollout/events/destinations.ts";
import { EventOutbox } from "../../rollout/events/event-outbox.ts";
import { RolloutMetrics } from "../../rollout/events/rollout-metrics.ts";
import type { Fleet } from "../../rollout/fleet.ts";
import type { Journal } from "../../rollout/journal.ts";
import type { JournalEvent } from "../../rollout/journal-event.ts";
import type { NodeView } from "../../rollout/snapshot.ts";

/** How long the end of a run waits for those that are still to be told. */
const closeMsMax = 10_000;

export type Tellers = {
  event(event: JournalEvent): void;
  look(nodes: readonly NodeView[]): void;
  close(): Promise<void>;
};

export function openTellers(fleet: Fleet, journal: Journal): Tellers {
  const { rolloutId, events } = journal;
  const say = (text: string) => void process.stderr.write(`glance-rollout: ${text.replaceAll("\n", " ")}\n`);
  const outboxes = destinationsOf(fleet.events, { rollout: rolloutId, fleet: fleet.name }).map((destination, index) => {
    const cursorFile = join(fleet.journal, `${rolloutId}.told-${index}`);
    return new EventOutbox({ destination, cursorFile, events, clock: systemClock, onTrouble: say });
  });
  const metrics = fleet.metricsFile === null ? undefined : openMetrics(fleet, fleet.metricsFile, journal, say);
  return {
    event(event) {
      metrics?.event(event);
      for (const outbox of outboxes) outbox.poke();
    },
    look: (nodes) => metrics?.look(nodes),
    async close() {
      await Promise.all([metrics?.end(), ...outboxes.map((outbox) => outbox.close(closeMsMax))]);
    },
  };
}

function openMetrics(fleet: Fleet, file: string, journal: Journal, say: (text: string) => void): RolloutMetrics {
  let told = false;
  const onTrouble = (error: unknown) => {
    if (!told)
      say(
        `the figures for Prometheus cannot be written (${errorText(error)}); make the folder of metrics.file writable`,
      );
    told = true;
  };
  const { rolloutId, events } = journal;
  return new RolloutMetrics({ file, rolloutId, fleet: fleet.name, target: fleet.target, events, onTrouble });
}

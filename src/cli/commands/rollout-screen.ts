// What `glance-rollout run` shows while it works: in a terminal phases and nodes live above the latest entries of the journal, elsewhere
// a line an entry, with --json the entries themselves.
import type { Phase } from "../../rollout/decision.ts";
import type { JournalEvent } from "../../rollout/journal-event.ts";
import type { Snapshot } from "../../rollout/snapshot.ts";
import { createLiveLine, type LiveLine } from "../live-line.ts";
import { nodeTable } from "./rollout-table.ts";

export interface Screen {
  event(event: JournalEvent): void;
  look(seen: Pick<Snapshot, "nodes">): void;
  /** Leaves the last picture standing. Safe to call twice. */
  end(): void;
}

const phases: readonly Phase[] = ["backup", "expand", "migrate", "nodes", "contract", "done"];
const phasesBack: readonly Phase[] = ["nodes", "revert", "done"];
const entriesShown = 8;

export function createScreen(options: { json: boolean; way?: "forward" | "back" }): Screen {
  if (options.json) return plain((event) => JSON.stringify(event));
  const live = process.stdout.isTTY ? createLiveLine(process.stdout, { showCursor: true }) : undefined;
  return live ? liveScreen(live, options.way === "back" ? phasesBack : phases) : plain(eventText);
}

export function eventText(event: JournalEvent): string {
  const about = event.node === undefined ? event.phase : `${event.phase} ${event.node}`;
  return `${event.time.slice(11, 19)}  ${about.padEnd(12)}  ${event.text}`;
}

function plain(text: (event: JournalEvent) => string): Screen {
  return {
    event: (event) => void process.stdout.write(`${text(event)}\n`),
    look: () => undefined,
    end: () => undefined,
  };
}

function liveScreen(live: LiveLine, shown: readonly Phase[]): Screen {
  const entries: string[] = [];
  let table: readonly string[] = [];
  let phase = shown[0];
  let ended = false;
  const draw = () => {
    const line = shown.map((one) => (one === phase ? `>${one}<` : ` ${one} `));
    const width = process.stdout.columns ?? 120;
    const lines = [line.join(" "), "", ...table, "", ...entries.slice(-entriesShown)];
    live(lines.map((one) => one.slice(0, width - 1)).join("\n"));
  };
  return {
    event(event) {
      entries.push(eventText(event));
      phase = event.phase;
      draw();
    },
    look(seen) {
      table = nodeTable(seen.nodes);
      draw();
    },
    end() {
      if (!ended) live.done();
      ended = true;
    },
  };
}

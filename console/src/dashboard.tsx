// The page of one rollout, the same for one that runs and for one that is replayed.
import type { ComponentChildren } from "preact";
import type { RolloutView } from "../../src/console/model.ts";
import type { CanaryFigures } from "../../src/rollout/canary/judge-canary.ts";
import { GatesPanel } from "./parts/gates-panel.tsx";
import { JournalPanel } from "./parts/journal-panel.tsx";
import { MigrationPanel } from "./parts/migration-panel.tsx";
import { NodeList } from "./parts/node-list.tsx";
import { NowPanel } from "./parts/now-panel.tsx";
import { PhaseBar } from "./parts/phase-bar.tsx";
import { type Freshness, OldFigures, TopBar } from "./parts/top-bar.tsx";
import { TrafficPanel } from "./parts/traffic-panel.tsx";

type DashboardProps = {
  view: RolloutView;
  freshness: Freshness;
  holder?: string | null;
  /** The comparison that is under way. */
  open?: CanaryFigures | null;
  /** Orders, or the time slider. */
  children?: ComponentChildren;
};

export function Dashboard({ view, freshness, holder = null, open = null, children }: DashboardProps) {
  return (
    <div class={`dashboard${freshness.kind === "old" ? " is-old" : ""}`}>
      <TopBar view={view} holder={holder} freshness={freshness} />
      <OldFigures freshness={freshness} />
      <main>
        <PhaseBar view={view} />
        <div class="now-row">
          <NowPanel view={view} />
          {children}
        </div>
        <Notes notes={view.notes} />
        <div class="panels">
          <TrafficPanel view={view} />
          <NodeList view={view} />
          <JournalPanel entries={view.journal.entries} total={view.journal.total} />
          <div class="side">
            <MigrationPanel view={view} />
            <GatesPanel view={view} open={open} />
          </div>
        </div>
      </main>
    </div>
  );
}

function Notes({ notes }: { notes: readonly string[] }) {
  if (notes.length === 0) return null;
  return (
    <ul class="notes" aria-label="What is not known or not certain">
      {notes.map((note) => (
        <li key={note}>{note}</li>
      ))}
    </ul>
  );
}

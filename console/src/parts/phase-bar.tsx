// Where the rollout is, and how long each phase took so far.
import type { RolloutView } from "../../../src/console/model.ts";
import { duration } from "../words.ts";
import { Sign } from "./marks.tsx";

const stateText = { ahead: "to come", current: "under way", resting: "begun", done: "done" } as const;

export function PhaseBar({ view }: { view: RolloutView }) {
  return (
    <nav class="phases" aria-label="Phases of the rollout">
      <ol>
        {view.phases.map(({ phase, state, seconds }) => (
          <li key={phase} class={`phase phase-${state}`} aria-current={state === "current" ? "step" : undefined}>
            <Sign name={state} />
            <span class="phase-name">{phase}</span>
            <span class="phase-time">{state === "ahead" ? stateText.ahead : duration(seconds)}</span>
            <span class="hidden">{state === "ahead" ? "" : `, ${stateText[state]}`}</span>
          </li>
        ))}
      </ol>
    </nav>
  );
}

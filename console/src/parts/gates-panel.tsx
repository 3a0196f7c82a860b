// What had to be passed, newest first, with the figures a verdict rests on.

import type { GateView, RolloutView } from "../../../src/console/model.ts";
import type { CanaryFigures, GroupFigures } from "../../../src/rollout/canary/judge-canary.ts";
import { counted, duration, milliseconds, timeOfDay } from "../words.ts";
import { Sign } from "./marks.tsx";
import { Panel } from "./panel.tsx";

const names = { backup: "backup", probe: "trial image", health: "health", canary: "comparison" } as const;

export function GatesPanel({ view, open }: { view: RolloutView; open: CanaryFigures | null }) {
  const failed = view.gates.filter((gate) => gate.verdict === "failed").length;
  const aside = view.gates.length === 0 ? "none yet" : `${view.gates.length - failed} passed, ${failed} failed`;
  return (
    <Panel title="Gates" name="gates" aside={aside}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard too */}
      <ul class="gates" tabIndex={0} aria-label="Gates, newest first">
        {open && (
          <li class="gate gate-open">
            <Sign name="current" />
            <div>
              <p>new and old nodes are being compared</p>
              <Comparison figures={open} />
            </div>
          </li>
        )}
        {[...view.gates].reverse().map((gate) => (
          <Gate key={gate.seq} gate={gate} />
        ))}
        {view.gates.length === 0 && !open && <li class="empty">Nothing has had to be passed yet.</li>}
      </ul>
    </Panel>
  );
}

function Gate({ gate }: { gate: GateView }) {
  return (
    <li class={`gate gate-${gate.verdict}`}>
      <Sign name={gate.verdict} />
      <div>
        <p>
          <strong>
            {names[gate.gate]}
            {gate.node ? ` of ${gate.node}` : ""}
          </strong>
          <span class="hidden">, {gate.verdict}</span>
          <time class="dim">{timeOfDay(gate.atMs)}</time>
        </p>
        {gate.figures ? <Comparison figures={gate.figures} /> : <p class="gate-text">{gate.text}</p>}
      </div>
    </li>
  );
}

function Comparison({ figures }: { figures: CanaryFigures }) {
  const text = ({ requests, errors, p99Ms }: GroupFigures) =>
    `${errors} of ${counted(requests, "request")} failed, p99 ${milliseconds(p99Ms)}`;
  return (
    <p class="gate-text">
      new: {text(figures.new)}; old: {text(figures.old)}; in {duration(figures.windowMs / 1000)}
    </p>
  );
}

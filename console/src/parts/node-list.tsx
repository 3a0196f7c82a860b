// Every node of the fleet: cards while there is room for them, then a grid of states of which one is opened at a time.
import { useState } from "preact/hooks";
import type { NodeCard, NodeState, RolloutView } from "../../../src/console/model.ts";
import { bytes, counted, duration } from "../words.ts";
import { ReleaseMark, Sign, stateWords } from "./marks.tsx";
import { Panel } from "./panel.tsx";
import { steady } from "./steady.ts";

const cardsMax = 9;

export function NodeList({ view }: { view: RolloutView }) {
  const { nodes } = view;
  const moved = nodes.filter((node) => node.moved === true).length;
  const aside = `${moved} of ${counted(nodes.length, "node")} on ${view.target}`;
  return (
    <Panel title="Nodes" name="nodes" aside={aside}>
      {nodes.length <= cardsMax ? <Cards nodes={nodes} /> : <Grid nodes={nodes} />}
    </Panel>
  );
}

function Cards({ nodes }: { nodes: readonly NodeCard[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard too
    <ul class={`cards cards-${nodes.length > 4 ? "many" : "few"}`} tabIndex={0} aria-label="Nodes of the fleet">
      {nodes.map((node) => (
        <li key={node.name}>
          <Card node={node} />
        </li>
      ))}
    </ul>
  );
}

function Card({ node }: { node: NodeCard }) {
  const { state, release, figures, trouble, step } = node;
  return (
    <article
      class={`card card-${kindOf(node.moved)} is-${state.value}${state.stale ? " stale" : ""}`}
      aria-label={`Node ${node.name}`}
    >
      <header>
        <h3>{node.name}</h3>
        <ReleaseMark release={release?.value ?? null} moved={node.moved} />
        <span class={`state state-${state.value}`}>
          <Sign name={state.value} />
          {stateWords[state.value]}
        </span>
      </header>
      <dl class={figures?.stale ? "figures stale" : "figures"}>{figureRows(node).map(figureRow)}</dl>
      {(trouble ?? step) && <p class={trouble ? "card-note trouble" : "card-note"}>{trouble ?? step?.text}</p>}
    </article>
  );
}

function figureRow([name, text]: readonly [string, string]) {
  return (
    <div key={name}>
      <dt>{name}</dt>
      <dd>{text}</dd>
    </div>
  );
}

function figureRows({ figures }: NodeCard): readonly (readonly [string, string])[] {
  const known = figures?.value;
  if (!known) return [["figures", "none known"]];
  const { rotation, up, requests, transfers, heartbeatAgeSeconds } = known;
  const words = { ready: up === false ? "in, found down" : "in", drain: "draining", maint: "out" } as const;
  const left = transfers && transfers.bytesLeft !== null && transfers.count > 0 ? bytes(transfers.bytesLeft) : null;
  const rows: [string, string][] = [
    ["rotation", rotation === null ? "unknown" : words[rotation]],
    ["requests", requests === null ? "–" : String(requests)],
    ["transfers", transfers ? `${transfers.count}${left ? `, ${left} left` : ""}` : "–"],
    ["heartbeat", heartbeatText(heartbeatAgeSeconds)],
  ];
  const ends = transfers && transfers.count > 0 ? transfers.etaSeconds : null;
  return ends === null ? rows : [...rows, ["longest ends in", duration(ends)]];
}

function heartbeatText(ageSeconds: number | null): string {
  if (ageSeconds === null) return "–";
  return ageSeconds < 1 ? "now" : `${duration(Math.round(ageSeconds))} ago`;
}

function Grid({ nodes }: { nodes: readonly NodeCard[] }) {
  const [chosen, choose] = useState<string | null>(null);
  const open = nodes.find((node) => node.name === chosen);
  return (
    <div class="grid-of-nodes">
      <Legend nodes={nodes} />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard too */}
      <ul class="tiles" tabIndex={0} aria-label="Nodes of the fleet">
        {nodes.map(({ name, moved, release, state }) => (
          <Tile
            key={name}
            name={name}
            moved={moved}
            release={release?.value ?? null}
            state={state.value}
            stale={state.stale}
            pressed={name === chosen}
            choose={choose}
          />
        ))}
      </ul>
      {open && <Card node={open} />}
    </div>
  );
}

type TileProps = {
  name: string;
  moved: boolean | null;
  release: string | null;
  state: NodeState;
  stale: boolean;
  pressed: boolean;
  choose: (name: string | null) => void;
};

const Tile = steady<TileProps>(({ name, moved, release, state, stale, pressed, choose }) => {
  const words = `${name}: ${stateWords[state]}, ${release ?? "release unknown"}`;
  return (
    <li>
      <button
        type="button"
        class={`tile tile-${kindOf(moved)} is-${state}${stale ? " stale" : ""}`}
        aria-label={words}
        aria-pressed={pressed}
        title={words}
        onClick={() => choose(pressed ? null : name)}
      >
        {state !== "serving" && <Sign name={state} />}
      </button>
    </li>
  );
});

/** What the marks of old and new are called. */
function kindOf(moved: boolean | null): "unknown" | "new" | "old" {
  return moved === null ? "unknown" : moved ? "new" : "old";
}

function Legend({ nodes }: { nodes: readonly NodeCard[] }) {
  const counts = new Map<string, number>();
  for (const { state } of nodes) counts.set(state.value, (counts.get(state.value) ?? 0) + 1);
  return (
    <p class="legend">
      {[...counts].map(([state, number]) => (
        <span key={state} class={`state state-${state}`}>
          <Sign name={state} />
          {number} {stateWords[state as NodeCard["state"]["value"]]}
        </span>
      ))}
    </p>
  );
}

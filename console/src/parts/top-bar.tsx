// What is looked at, whether it is so now, and the way to past rollouts.
import type { RolloutView } from "../../../src/console/model.ts";
import { timeOfDay } from "../words.ts";

export type Freshness =
  /** What is shown is so now. */
  | { readonly kind: "live"; readonly atMs: number }
  /** It was so then. */
  | { readonly kind: "old"; readonly why: string; readonly seenMs: number | null }
  | { readonly kind: "replay" };

type TopBarProps = { view: RolloutView; holder: string | null; freshness: Freshness };

export function TopBar({ view, holder, freshness }: TopBarProps) {
  return (
    <header class="top">
      <a class="brand" href="#/">
        Perennial
      </a>
      <h1>
        {view.fleet} <span class="dim">to</span> {view.target}
      </h1>
      <span class={`badge badge-${view.state.replace(" ", "-")}`}>{view.state}</span>
      {view.way === "back" && <span class="badge badge-back">way back</span>}
      {holder && <span class="holder dim">run by {holder}</span>}
      <span class="space" />
      <FreshnessMark freshness={freshness} />
      <a class="to-history" href="#/history">
        History
      </a>
    </header>
  );
}

function FreshnessMark({ freshness }: { freshness: Freshness }) {
  if (freshness.kind === "live") {
    return (
      <span class="fresh fresh-live">
        <span class="dot" aria-hidden="true" /> live <time>{timeOfDay(freshness.atMs)}</time>
      </span>
    );
  }
  if (freshness.kind === "replay") return <span class="fresh">replay</span>;
  return <span class="fresh fresh-old">not live</span>;
}

/** Old figures are never shown as what is so now. */
export function OldFigures({ freshness }: { freshness: Freshness }) {
  const text =
    freshness.kind !== "old"
      ? ""
      : `${freshness.why}${freshness.seenMs === null ? "" : `, figures of ${timeOfDay(freshness.seenMs)}`}`;
  return (
    <p class={text === "" ? "old-figures none" : "old-figures"} role="status">
      {text}
    </p>
  );
}

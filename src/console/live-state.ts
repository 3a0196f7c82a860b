// What the page of a running rollout knows, and how one state of it differs from the next: only that is sent. Pure, and shared with the
// browser, so it imports types alone.
import type { JournalEvent } from "../rollout/journal-event.ts";
import type { RolloutState } from "../rollout/rollout-history.ts";
import type { FleetSample, NodeSample } from "../rollout/samples/sample.ts";
import type { Snapshot } from "../rollout/snapshot.ts";

/** Everything but lists that grow. Each field is replaced as a whole. */
export type LiveHead = {
  readonly fleet: string;
  /** What the fleet file leads to. */
  readonly target: string;
  readonly rollout: string | null;
  readonly state: RolloutState | "none";
  /** Who runs it now, for people; null where nobody is known to. */
  readonly holder: string | null;
  /** What is known to be wrong with the journal or the figures, each a sentence. */
  readonly notes: readonly string[];
  /** When this was told, in ms since the epoch by the server's clock: the page has no clock of its own. */
  readonly atMs: number;
  /** When the fleet was last seen, in ms since the epoch by the server's clock; null where it never was. */
  readonly seenMs: number | null;
  /** Why it cannot be seen now. The figures are then those of `seenMs`. */
  readonly problem: string | null;
  readonly due: Snapshot["due"] | null;
  readonly request: Snapshot["request"];
  readonly canary: Snapshot["canary"];
  /** Every node serves the target, and the contract is all that is left. */
  readonly contractPending: boolean;
  /** What was told to the data migration. */
  readonly migrate: { readonly paused: boolean; readonly limits: Readonly<Record<string, number>> } | null;
  /** Whether this server takes orders from whoever has the token. */
  readonly control: boolean;
};

export type LiveState = {
  readonly head: LiveHead;
  /** In the fleet file's order. */
  readonly nodes: readonly NodeSample[];
  /** The journal of `head.rollout`. */
  readonly entries: readonly JournalEvent[];
  readonly samples: readonly FleetSample[];
};

export type LivePatch = {
  readonly head?: Partial<LiveHead>;
  /** Those that look otherwise than before. */
  readonly nodes?: readonly NodeSample[];
  /** Those that were added. */
  readonly entries?: readonly JournalEvent[];
  readonly samples?: readonly FleetSample[];
};

/** `whole`: the lists did not merely grow, and what was held so far has to be thrown away. null: nothing has changed. */
export function differenceOf(before: LiveState, after: LiveState): LivePatch | "whole" | null {
  const names = (state: LiveState) => state.nodes.map((node) => node.name).join("\n");
  if (before.head.rollout !== after.head.rollout || names(before) !== names(after)) return "whole";
  if (!hasGrown(before.entries, after.entries, (entry) => `${entry.seq} ${entry.time}`)) return "whole";
  if (!hasGrown(before.samples, after.samples, (sample) => String(sample.atMs))) return "whole";
  const head = changedFields(before.head, after.head);
  const nodes = after.nodes.filter((node, index) => !isSame(node, before.nodes[index]));
  const entries = after.entries.slice(before.entries.length);
  const samples = after.samples.slice(before.samples.length);
  const patch: LivePatch = {
    ...(head && { head }),
    ...(nodes.length > 0 && { nodes }),
    ...(entries.length > 0 && { entries }),
    ...(samples.length > 0 && { samples }),
  };
  return Object.keys(patch).length > 0 ? patch : null;
}

export function applyPatch(state: LiveState, patch: LivePatch): LiveState {
  const changed = new Map(patch.nodes?.map((node) => [node.name, node]));
  return {
    head: { ...state.head, ...patch.head },
    nodes: changed.size === 0 ? state.nodes : state.nodes.map((node) => changed.get(node.name) ?? node),
    entries: patch.entries ? [...state.entries, ...patch.entries] : state.entries,
    samples: patch.samples ? [...state.samples, ...patch.samples] : state.samples,
  };
}

/** Looks at both ends of what was there before: a journal that forked differs from some entry on up to its end. */
function hasGrown<T>(before: readonly T[], after: readonly T[], nameOf: (one: T) => string): boolean {
  if (after.length < before.length) return false;
  return [before[0], before.at(-1)].every((one, end) => {
    const other = after[end === 0 ? 0 : before.length - 1];
    return one === undefined || (other !== undefined && nameOf(one) === nameOf(other));
  });
}

function changedFields(before: LiveHead, after: LiveHead): Partial<LiveHead> | null {
  const changed = Object.entries(after).filter(([key, value]) => !isSame(value, before[key as keyof LiveHead]));
  return changed.length > 0 ? (Object.fromEntries(changed) as Partial<LiveHead>) : null;
}

/** Both are small, and made by the same code in the same order of fields. */
function isSame(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

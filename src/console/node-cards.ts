// A node as it is shown: what was sampled of it last and what the journal tells of it, whichever is younger.
import type { NodeSample } from "../rollout/samples/sample.ts";
import type { Known, NodeCard, NodeFigures, NodeState } from "./model.ts";
import type { NodeTrack } from "./node-track.ts";

/** What was known longer ago than this is not shown as what is so now. Samples come every couple of seconds. */
export const staleMs = 15_000;

export function known<Value>(value: Value, knownAtMs: number, atMs: number): Known<Value> {
  return { value, atMs: knownAtMs, stale: atMs - knownAtMs > staleMs };
}

export type Sampled = { readonly atMs: number; readonly byName: ReadonlyMap<string, NodeSample> } | null;

export function nodeCards(
  tracks: ReadonlyMap<string, NodeTrack>,
  sampled: Sampled,
  atMs: number,
  target: string | null,
  order: NameOrder,
): readonly NodeCard[] {
  const names = new Set([...tracks.keys(), ...(sampled?.byName.keys() ?? [])]);
  return order.of(names).map((name) => {
    const sample = sampled?.byName.get(name);
    return card(name, tracks.get(name), sample && sampled ? { sample, sampledAtMs: sampled.atMs } : null, atMs, target);
  });
}

function card(
  name: string,
  track: NodeTrack | undefined,
  seen: { readonly sample: NodeSample; readonly sampledAtMs: number } | null,
  atMs: number,
  target: string | null,
): NodeCard {
  const release = releaseOf(track, seen, atMs);
  return {
    name,
    state: stateOf(track, seen, atMs),
    release,
    moved: release === null || target === null ? null : release.value === target,
    figures: seen && hasFigures(seen.sample) ? known(figuresOf(seen.sample), seen.sampledAtMs, atMs) : null,
    step: track?.step ?? null,
    failures: track?.failures ?? 0,
    trouble: track?.trouble ?? null,
  };
}

type Seen = Parameters<typeof card>[2];

function stateOf(track: NodeTrack | undefined, seen: Seen, atMs: number): Known<NodeState> {
  const sampled = seen && sampledState(seen.sample);
  if (seen && sampled && seen.sampledAtMs >= (track?.stateAtMs ?? Number.NEGATIVE_INFINITY))
    return known(sampled, seen.sampledAtMs, atMs);
  return track
    ? known(track.state, track.stateAtMs, atMs)
    : known<NodeState>("unknown", seen?.sampledAtMs ?? atMs, atMs);
}

function releaseOf(track: NodeTrack | undefined, seen: Seen, atMs: number): Known<string> | null {
  if (seen?.sample.release && seen.sampledAtMs >= (track?.releaseAtMs ?? Number.NEGATIVE_INFINITY))
    return known(seen.sample.release, seen.sampledAtMs, atMs);
  return track?.release ? known(track.release, track.releaseAtMs, atMs) : null;
}

/** Null where the sample does not tell. */
function sampledState({ process, rotation, healthy, up }: NodeSample): NodeState | null {
  if (process === "gone") return "out";
  if (process === "stopping") return "stopping";
  if (process === null || rotation === null) return null;
  if (rotation === "drain") return "draining";
  if (rotation === "maint") return "starting";
  return healthy === false || up === false ? "unwell" : "serving";
}

function hasFigures(sample: NodeSample): boolean {
  const { rotation, up, requests, transfers, heartbeatAgeSeconds } = sample;
  return [rotation, up, requests, transfers, heartbeatAgeSeconds].some((figure) => figure !== null);
}

function figuresOf({ rotation, up, requests, transfers, heartbeatAgeSeconds }: NodeSample): NodeFigures {
  return { rotation, up, requests, transfers, heartbeatAgeSeconds };
}

/** n2 before n10. The names of a fleet are looked at again and again and seldom change: they are put in order once. */
export class NameOrder {
  #names: ReadonlySet<string> = new Set();
  #inOrder: readonly string[] = [];

  of(names: ReadonlySet<string>): readonly string[] {
    const isSame = names.size === this.#names.size && [...names].every((name) => this.#names.has(name));
    if (!isSame) {
      this.#names = names;
      this.#inOrder = [...names].sort(compareNames);
    }
    return this.#inOrder;
  }
}

const collator = new Intl.Collator("en", { numeric: true });

function compareNames(a: string, b: string): number {
  return collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

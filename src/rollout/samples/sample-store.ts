// The samples of one rollout as they are kept and read: numbered over all its runs, and thinned so that the older ones are, the further
// they stand apart. Whatever is left out, the others stay true: counts only grow.
import type { RolloutSampleRepository } from "../../db/repositories/rollout-sample-repository.ts";
import type { FleetSample, NodeSample, SampleSeries } from "./sample.ts";
import { readFleetSample, readNodeSamples, sampleKinds, writeFleetSample, writeNodeSamples } from "./sample-text.ts";

/** The newest ones are all kept, so many; of those before half as many for each doubling of the time. */
const fleetKept = 600;
/** With all nodes in each of them: fewer of a large fleet. */
const nodesKeptMax = 300;
const nodeRowsKept = 30_000;
const thinEvery = 32;

export type SampleWriter = {
  /** Rejects where the database does not take it. */
  add(fleet: FleetSample, nodes: readonly NodeSample[]): Promise<void>;
};

export async function openSampleWriter(store: RolloutSampleRepository, rolloutId: string): Promise<SampleWriter> {
  let seq = await store.last(rolloutId);
  return {
    async add(fleet, nodes) {
      const { atMs } = fleet;
      // A number that was not taken in full is not used again.
      seq++;
      await store.add(rolloutId, "fleet", { seq, atMs, body: writeFleetSample(fleet) });
      await store.add(rolloutId, "nodes", { seq, atMs, body: writeNodeSamples(nodes) });
      if (seq % thinEvery !== 0) return;
      for (const kind of sampleKinds) {
        const kept = kind === "fleet" ? fleetKept : nodesKept(nodes.length);
        for (const { upTo, step } of thinning(seq, kept)) await store.thin(rolloutId, kind, upTo, step);
      }
    },
  };
}

export function nodesKept(nodes: number): number {
  return Math.max(60, Math.min(nodesKeptMax, Math.floor(nodeRowsKept / Math.max(1, nodes))));
}

/** What to leave out when `seq` is the newest number and the newest `kept` stay: of those up to `upTo` only multiples of `step` stay. */
export function thinning(seq: number, kept: number): readonly { readonly upTo: number; readonly step: number }[] {
  const rules: { upTo: number; step: number }[] = [];
  for (let [age, step] = [kept, 2]; age < seq; age *= 2, step *= 2) rules.push({ upTo: seq - age, step });
  return rules;
}

/** All of a rollout's, oldest first. */
export async function readSamples(
  store: Pick<RolloutSampleRepository, "read">,
  rolloutId: string,
): Promise<SampleSeries> {
  const { fleet } = await readFleetSamples(store, rolloutId, 0);
  const nodes = await store.read(rolloutId, "nodes");
  return { fleet, nodes: nodes.map(({ atMs, body }) => ({ atMs, read: () => readNodeSamples(body) })) };
}

/**
 * Those of the fleet as a whole after number `after`, oldest first, and the number to go on from. Not from one of the nodes' samples: of one that is
 * written between the two readings the fleet's part would never be read.
 */
export async function readFleetSamples(
  store: Pick<RolloutSampleRepository, "read">,
  rolloutId: string,
  after: number,
): Promise<{ readonly fleet: readonly FleetSample[]; readonly last: number }> {
  const fleet = await store.read(rolloutId, "fleet", after);
  return {
    fleet: fleet.flatMap(({ atMs, body }) => readFleetSample(atMs, body) ?? []),
    last: fleet.at(-1)?.seq ?? after,
  };
}

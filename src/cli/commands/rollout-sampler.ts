// Puts the sampler of a run together: what it saw of the fleet over time is what console and report draw. It can neither hold the run up
// nor stop it; what goes wrong is said on standard error.
import { errorText } from "../../core/errors.ts";
import { openSampleWriter } from "../../rollout/samples/sample-store.ts";
import { Sampler } from "../../rollout/samples/sampler.ts";
import type { RolloutParts } from "./rollout-parts.ts";

export function openSampler(parts: RolloutParts): Sampler {
  const { fleet, balancer, database, rolloutId, clock } = parts;
  const sampler = new Sampler({
    nodes: fleet.nodes,
    balancer,
    rows: (signal) => database.nodeRows(signal),
    open: async (signal) => openSampleWriter(await database.sampleStore(signal), rolloutId),
    clock,
    onTrouble: (error) => {
      const text = errorText(error).replaceAll("\n", " ");
      process.stderr.write(
        `glance-rollout: traffic and nodes are not recorded at the moment (${text}); the rollout goes on without\n`,
      );
    },
  });
  sampler.start();
  return sampler;
}

// Which nodes of a fleet surely serve, seen from outside, so that a test kills none of which another could not take the place.
import { setTimeout as sleep } from "node:timers/promises";
import type { FleetNode, RunningFleet } from "../../../demo/fleet.ts";
import { wireRollout } from "../../../src/cli/commands/rollout-parts.ts";
import { loadFleet } from "../../../src/rollout/fleet.ts";

export type HealthWatch = {
  /** The node that the rollout works on; it may be in rotation and about to leave it. */
  inHand: string | undefined;
  /** Whether another node surely serves: the balancer has it in rotation, and it answers itself. */
  canSpare(node: FleetNode): boolean;
  /** Nothing is known of it any more until it answers again. */
  killed(node: FleetNode): void;
  /** The balancer is being reloaded: until `over` settles some connections are served by what it knows now, which nodes that come later are not of. */
  reloading(over: Promise<unknown>): void;
  stop(): Promise<void>;
};

/**
 * Asks the balancer and every node for their health ten times a second. Only the balancer knows who is in rotation: a node that was drained
 * before another one died answers well and yet serves nobody.
 */
export function watchHealth(fleet: RunningFleet): HealthWatch {
  const parts = wireRollout(loadFleet(fleet.file), { rolloutId: "watch" });
  let serving: ReadonlySet<string> = new Set();
  const known = new Set<ReadonlySet<string>>();
  let kills = 0;
  const stopped = new AbortController();
  const look = async () => {
    const [views, ...well] = await Promise.all([parts.balancer.observe(stopped.signal), ...fleet.nodes.map(isWell)]);
    const inRotation = (name: string) => views.get(name)?.up === true && views.get(name)?.state === "ready";
    return new Set(fleet.nodes.map((node) => node.name).filter((name, index) => well[index] && inRotation(name)));
  };
  const watching = (async () => {
    while (!stopped.signal.aborted) {
      const killsBefore = kills;
      const found = await look().catch(() => new Set<string>());
      // What was seen before a kill may be of the node that it ended.
      if (kills === killsBefore) serving = found;
      await sleep(100, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  })();
  return {
    inHand: undefined,
    canSpare(node) {
      const views = [serving, ...known];
      const surely = (name: string) => views.every((view) => view.has(name));
      return fleet.nodes.some((other) => other !== node && other.name !== this.inHand && surely(other.name));
    },
    killed(node) {
      kills++;
      serving = new Set([...serving].filter((name) => name !== node.name));
    },
    reloading(over) {
      const before = serving;
      known.add(before);
      const done = () => known.delete(before);
      over.then(done, done);
    },
    async stop() {
      stopped.abort();
      await watching;
      await parts.close();
    },
  };
}

async function isWell(node: FleetNode): Promise<boolean> {
  const answer = await fetch(`http://${node.address}/healthcheck`).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.ok === true;
}

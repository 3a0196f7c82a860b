// What can go wrong in a simulated rollout, as data: drawn from a seed, told in one line, and left out one by one to find those that matter.
import type { ReleaseId } from "../../../releases/catalogue.ts";
import type { Random } from "./random.ts";

export type Fault =
  /** atMs: when. A node's process is killed. */
  | { readonly what: "dies"; readonly atMs: number; readonly node: number }
  /** It neither answers nor hears. */
  | { readonly what: "hangs"; readonly atMs: number; readonly node: number; readonly forMs: number }
  /** It serves, and its heartbeats do not reach the registry. */
  | { readonly what: "falls silent"; readonly atMs: number; readonly node: number; readonly forMs: number }
  /** Somebody starts it anew, configured for another release. */
  | { readonly what: "comes back as"; readonly atMs: number; readonly node: number; readonly release: ReleaseId }
  /** lies: its health check passes, and nothing else does. */
  | { readonly what: "starts badly"; readonly node: number; readonly times: number; readonly how: BadStart }
  | { readonly what: "long transfer"; readonly node: number; readonly forMs: number }
  /** The next step that is made after so many. */
  | { readonly what: "driver"; readonly act: number; readonly how: BadDriver }
  | { readonly what: "balancer away" | "host away"; readonly atMs: number; readonly forMs: number }
  /** A reload: the new process does not know what the old one was told, and the old one serves the connections it has for a while yet. */
  | { readonly what: "balancer forgets"; readonly atMs: number }
  | { readonly what: "balancer doubts"; readonly atMs: number; readonly node: number; readonly forMs: number }
  /** A failover: nobody reaches it meanwhile. */
  | { readonly what: "database away" | "database slow"; readonly atMs: number; readonly forMs: number }
  /** The n-th write is done, and the answer is lost. */
  | { readonly what: "answer lost"; readonly write: number }
  | { readonly what: "old rows"; readonly atMs: number }
  | { readonly what: "stranger"; readonly atMs: number; readonly forMs: number }
  /** kill -9 of the run at its n-th wait, which is anywhere between two effects. */
  | { readonly what: "runner killed"; readonly wait: number }
  | { readonly what: "runner frozen"; readonly atMs: number; readonly forMs: number }
  | { readonly what: "runner stopped"; readonly atMs: number }
  | { readonly what: "second runner"; readonly atMs: number }
  | { readonly what: "pause asked"; readonly atMs: number; readonly forMs: number }
  | { readonly what: "abort asked" | "rollback asked"; readonly atMs: number };

export type BadStart = "exits" | "slow" | "lies";
export type BadDriver = "refuses" | "hangs" | "times out after acting";

export type FaultRoom = {
  readonly nodes: number;
  /** None happens later. */
  readonly untilMs: number;
  /** What a node may come back as. */
  readonly releases: readonly [ReleaseId, ...ReleaseId[]];
};

type Draw = (random: Random, room: FaultRoom) => Fault;
const at = (random: Random, room: FaultRoom) => random.between(0, room.untilMs);
const node = (random: Random, room: FaultRoom) => random.between(0, room.nodes);
/** Longer than two looks, so that somebody can see it. */
const forMs = (random: Random) => random.between(2_000, 30_000);

const draws: readonly [Draw, ...Draw[]] = [
  (r, room) => ({ what: "dies", atMs: at(r, room), node: node(r, room) }),
  (r, room) => ({ what: "hangs", atMs: at(r, room), node: node(r, room), forMs: forMs(r) }),
  (r, room) => ({ what: "falls silent", atMs: at(r, room), node: node(r, room), forMs: 10 * forMs(r) }),
  (r, room) => ({ what: "comes back as", atMs: at(r, room), node: node(r, room), release: r.pick(room.releases) }),
  (r, room) => ({
    what: "starts badly",
    node: node(r, room),
    times: r.between(1, 5),
    how: r.pick(["exits", "slow", "lies"]),
  }),
  (r, room) => ({ what: "long transfer", node: node(r, room), forMs: 3 * forMs(r) }),
  (r) => driver(r),
  (r) => driver(r),
  (r, room) => ({ what: r.pick(["balancer away", "host away"]), atMs: at(r, room), forMs: forMs(r) }),
  (r, room) => ({ what: "balancer forgets", atMs: at(r, room) }),
  (r, room) => ({ what: "balancer doubts", atMs: at(r, room), node: node(r, room), forMs: forMs(r) }),
  (r, room) => ({ what: r.pick(["database away", "database slow"]), atMs: at(r, room), forMs: 2 * forMs(r) }),
  (r) => ({ what: "answer lost", write: r.between(0, 150) }),
  (r, room) => ({ what: "old rows", atMs: at(r, room) }),
  (r, room) => ({ what: "stranger", atMs: at(r, room), forMs: 2 * forMs(r) }),
  (r) => ({ what: "runner killed", wait: r.between(0, 1_500) }),
  (r) => ({ what: "runner killed", wait: r.between(0, 1_500) }),
  (r, room) => ({ what: "runner frozen", atMs: at(r, room), forMs: 2 * forMs(r) }),
  (r, room) => ({ what: "runner stopped", atMs: at(r, room) }),
  (r, room) => ({ what: "second runner", atMs: at(r, room) }),
  (r, room) => ({ what: "pause asked", atMs: at(r, room), forMs: forMs(r) }),
  (r, room) => ({ what: r.chance(0.3) ? "abort asked" : "rollback asked", atMs: at(r, room) }),
];

function driver(random: Random): Fault {
  return {
    what: "driver",
    act: random.between(0, 40),
    how: random.pick(["refuses", "hangs", "times out after acting"]),
  };
}

export function drawFaults(random: Random, room: FaultRoom): readonly Fault[] {
  return Array.from({ length: random.between(0, 9) }, () => random.pick(draws)(random, room));
}

export function tellFault(fault: Fault): string {
  const { what, ...rest } = fault;
  const facts = Object.entries(rest).map(
    ([key, value]) => `${key} ${key === "node" ? `n${Number(value) + 1}` : value}`,
  );
  return facts.length > 0 ? `${what} (${facts.join(", ")})` : what;
}

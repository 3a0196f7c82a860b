// Claim: whatever dies during a rollout under traffic on MariaDB behind HAProxy, at whatever moment (the rollout, a node, the database
// server; the balancer is reloaded), no request fails that a healthy node could have served, no byte is lost, and the rollout comes to its
// end. What is killed follows from the seed; when it happens is the machine's too. SEED begins elsewhere.
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../demo/traffic/actor.ts";
import { type Hands, type Killer, rollWithAnyKills } from "../test/upgrade/kill/killed-rollout.ts";
import type { Bench } from "./bench.ts";

const runsAll = 50;
/** Up to which chance each is killed at each of some fifty boundaries: so that a rollout comes through with a handful of each. */
const kinds = [
  ["rollout", 0.06],
  ["balancer", 0.14],
  ["database", 0.19],
  ["node", 0.31],
] as const;
/** Into the step that begins at the boundary. */
const delayMsMax = 800;

export const kills: Bench = {
  name: "kills",
  summary: "rollouts in which whatever runs is killed at random; SEED is the first one",
  async run({ scale, progress }) {
    const runs = Math.max(1, Math.round(runsAll * scale));
    const first = Number(process.env.SEED ?? 1);
    const counts = new Map<string, number>();
    let [broken, requests, lost] = [0, 0, 0];
    for (let seed = first; seed < first + runs; seed++) {
      try {
        const { kills: done, ...figures } = await rollWithAnyKills({ seed, killer: randomKiller(seed) });
        requests += figures.requests;
        lost += figures.excused;
        for (const what of done) {
          const [kind = ""] = what.replace(/^n\d+/, "node").split(" at ");
          counts.set(kind, (counts.get(kind) ?? 0) + 1);
        }
        progress(`SEED=${seed}: ${done.join(", ")}`);
      } catch (error) {
        broken++;
        progress(`SEED=${seed}: ${error instanceof Error ? error.message : error}`);
      }
    }
    return [
      { what: "rollouts", value: runs, unit: "" },
      ...[...counts].map(([kind, count]) => ({ what: `${kind}, times`, value: count, unit: "" })),
      { what: "requests", value: requests, unit: "" },
      { what: "of them, lost with what was killed", value: lost, unit: "" },
      { what: "rollouts that lost something or did not end", value: broken, unit: "", bound: { atMost: 0 } },
    ];
  },
};

function randomKiller(seed: number): Killer {
  const random = seededRandom(seed);
  return (_boundary, event, hands) => {
    const [chance, delay, which] = [random(), random() * delayMsMax, random()];
    // After the contract nobody looks at the nodes again.
    const delayMs = event.data?.do === "contract" ? 0 : delay;
    const kind = kinds.find(([, upTo]) => chance < upTo)?.[0];
    const kill = () => {
      if (kind === "rollout") hands.killRollout();
      else if (kind === "balancer") hands.reloadBalancer();
      else if (kind === "database") hands.crashDatabase();
      else if (kind === "node") killSome(hands, which);
    };
    void sleep(delayMs).then(kill);
  };
}

function killSome(hands: Hands, which: number): void {
  const { nodes } = hands.fleet;
  const node = nodes[Math.floor(which * nodes.length)];
  if (node) hands.killNode(node);
}

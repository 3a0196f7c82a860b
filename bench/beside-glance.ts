// Claim: in a mixed fleet our node is no slower than the Glance beside it. One of Debian's Glance 25.1 and one of ours as the same release, on
// one database and store behind one HAProxy; each serves the same traffic while the other is out of rotation. The figures are HAProxy's.
import { join } from "node:path";
import { sampleImages } from "../demo/images.ts";
import { binary, finish, startDetached } from "../demo/processes.ts";
import { loadSamples } from "../demo/traffic/load.ts";
import { Recorder } from "../demo/traffic/recorder.ts";
import { makeActors, startTraffic } from "../demo/traffic/traffic.ts";
import { StopStack } from "../src/core/lifecycle.ts";
import { eventually } from "../test/servers/eventually.ts";
import { makeGlanceSite, setUpGlance, startGlance } from "../test/servers/glance.ts";
import { type HaproxyServer, startHaproxy } from "../test/servers/haproxy.ts";
import { startMariadb } from "../test/servers/mariadb.ts";
import type { Bench, Figure } from "./bench.ts";
import { HaproxyLog } from "./haproxy-log.ts";

const kinds = ["glance", "ours"] as const;
type Kind = (typeof kinds)[number];

const projects = ["red", "green", "blue"];
const seed = 71;
const clients = 8;
const rounds = 3;
const requestsPerRound = 1_000;
/** As fast as answers come. */
const unbounded = 1_000_000;
const roundMsMax = 600_000;

export const besideGlance: Bench = {
  name: "beside-glance",
  summary: `one worker each of Glance 25.1 and of ours as Zed on one MariaDB behind HAProxy, ${clients} clients with traffic of all kinds`,
  async run({ scale, progress }) {
    const stops = new StopStack();
    const log = await HaproxyLog.open();
    stops.defer(() => log.close());
    try {
      const haproxy = await startFleet(stops, log);
      const recorder = new Recorder();
      const origin = haproxy.url;
      const samples = await loadSamples(origin, recorder, sampleImages({ seed, count: 9, projects }).slice(3));
      const seconds = { glance: 0, ours: 0 };
      const before = await requestsOf(haproxy);
      log.forget();
      for (let round = 0; round < rounds; round++) {
        for (const kind of kinds) {
          progress(`round ${round + 1} of ${rounds}: ${kind}`);
          await onlyIn(haproxy, kind);
          // The same seed: the same traffic for both, as far as what they find is the same.
          const actors = makeActors({ origin, recorder, samples, projects, seed: seed + round, count: clients });
          const began = performance.now();
          const traffic = startTraffic({ actors, requestsPerSecond: unbounded });
          await recorder.more(Math.ceil(requestsPerRound * scale), AbortSignal.timeout(roundMsMax));
          await traffic.stop();
          seconds[kind] += (performance.now() - began) / 1_000;
          for (const actor of actors) actor.client.close();
        }
      }
      const after = await requestsOf(haproxy);
      const served = (kind: Kind) => (after.get(kind) ?? 0) - (before.get(kind) ?? 0);
      await eventually("HAProxy has told of all requests", () =>
        kinds.every((kind) => log.count(kind) >= served(kind)),
      );
      const rate = (kind: Kind) => served(kind) / seconds[kind];
      return [
        ...kinds.flatMap((kind) => figuresOf(kind, rate(kind), log)),
        {
          what: "ours against Glance, requests/s",
          value: rate("ours") / rate("glance"),
          unit: "ratio",
          bound: { atLeast: 1 },
        },
        { what: "requests that failed", value: recorder.failed, unit: "", bound: { atMost: 0 } },
      ];
    } finally {
      await stops.stop();
    }
  },
};

function figuresOf(kind: Kind, perSecond: number, log: HaproxyLog): readonly Figure[] {
  const name = kind === "glance" ? "Glance" : "ours";
  const { p50Ms, p99Ms } = log.latency(kind);
  return [
    { what: name, value: perSecond, unit: "requests/s" },
    { what: `${name}, p50`, value: p50Ms, unit: "ms" },
    { what: `${name}, p99`, value: p99Ms, unit: "ms" },
  ];
}

/** What each server has served so far, by HAProxy's statistics. */
async function requestsOf(haproxy: HaproxyServer): Promise<ReadonlyMap<string, number>> {
  const [header = "", ...lines] = (await haproxy.command("show stat")).split("\n");
  const columns = header.replace(/^# /, "").split(",");
  const [proxy, server, total] = ["pxname", "svname", "stot"].map((name) => columns.indexOf(name));
  const rows = lines.map((line) => line.split(","));
  const at = (row: readonly string[], index: number | undefined) => row[index ?? -1] ?? "";
  return new Map(
    rows.filter((row) => at(row, proxy) === haproxy.backend).map((row) => [at(row, server), Number(at(row, total))]),
  );
}

async function startFleet(stops: StopStack, log: HaproxyLog): Promise<HaproxyServer> {
  const mariadb = await startMariadb({ shared: false });
  stops.defer(() => mariadb.stop());
  const site = makeGlanceSite();
  stops.defer(() => site.stop());
  const database = await mariadb.createDatabase();
  const sections = { perennial: { release: "zed" } };
  const setUp = (name: Kind) => setUpGlance(site, { name, database, flavor: "fakeauth", sections });
  const [glance, ours] = [await setUp("glance"), await setUp("ours")];
  const made = await finish([...binary("glance-manage"), "--config-file", ours.config, "db", "sync", "--to", "zed"]);
  if (made.code !== 0) throw new Error(`db sync: ${made.stderr}`);
  startDetached([...binary("glance-api"), "--config-file", ours.config], {
    logFile: ours.logFile,
    cwd: join(ours.config, ".."),
  });
  await startGlance(glance);
  await eventually("our node answers", async () => (await fetch(`${ours.url}/healthcheck`)).ok);
  const servers = [glance, ours].map(({ name, port }) => ({ name, address: `127.0.0.1:${port}` }));
  const haproxy = await startHaproxy({ servers, log: log.target });
  stops.defer(() => haproxy.stop());
  for (const kind of kinds) await onlyIn(haproxy, kind);
  return haproxy;
}

/** The only one in rotation, and seen to serve. */
async function onlyIn(haproxy: HaproxyServer, kind: Kind): Promise<void> {
  for (const one of kinds)
    await haproxy.command(`set server ${haproxy.backend}/${one} state ${one === kind ? "ready" : "maint"}`);
  await eventually(`${kind} serves`, async () => (await fetch(`${haproxy.url}/versions`)).status === 200);
}

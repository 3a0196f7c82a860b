// The demo's course: a fleet at one release, images, steady traffic, a control window, the rollout, and every image compared at the end.
// The upgrade tests take the same course and look at the same outcome.
import { setTimeout as sleep } from "node:timers/promises";
import { exitCodes } from "../src/cli/exit-codes.ts";
import { noFeatures } from "../src/releases/api-versions.ts";
import { type ReleaseId, releaseOf } from "../src/releases/catalogue.ts";
import type { Strategy } from "../src/rollout/decide.ts";
import type { JournalEvent } from "../src/rollout/journal-event.ts";
import { checkImages, type ImageCheck } from "./check-images.ts";
import type { DatabaseKind } from "./database.ts";
import { type RunningFleet, startFleet } from "./fleet.ts";
import type { HostKind } from "./hosts.ts";
import { sampleImages } from "./images.ts";
import { openRegistry, type RegistryRow } from "./registry.ts";
import { startRollout } from "./rollout-process.ts";
import type { Actor, LoadedSample } from "./traffic/actor.ts";
import { HttpClient } from "./traffic/http-client.ts";
import { loadSamples } from "./traffic/load.ts";
import { Recorder } from "./traffic/recorder.ts";
import { SlowTransfers } from "./traffic/slow.ts";
import { makeActors, startTraffic } from "./traffic/traffic.ts";
import { announcedVersions } from "./traffic/versions.ts";

export type DemoOptions = {
  folder: string;
  nodes: number;
  database: DatabaseKind;
  balancer: "builtin" | "haproxy";
  strategy: Strategy;
  hosts?: HostKind;
  /** A release of the catalogue, and a newer one. */
  from: ReleaseId;
  to: ReleaseId;
  seed: number;
  keep: boolean;
  /** Traffic before the rollout: not counted, and then counted as the window that the rollout is compared with. Absent: only the latter, for 7 s. */
  before?: { readonly warmUpMs: number; readonly controlMs: number };
  /** Before there is traffic. */
  begin?: (fleet: RunningFleet) => Promise<void>;
  /** While the fleet still stands, and all else is over. */
  end?: (fleet: RunningFleet) => Promise<void>;
};

/** What a node had under way when it was told to stop, or to hand over. */
export type StopView = { readonly node: string; readonly uploads: number; readonly downloads: number };

/** All that can be looked at while the demo runs; the screen draws it. */
export type DemoState = {
  activity: string;
  /** Where the console's page is, or why there is none; undefined until that is known, and where none was asked for. */
  console?: string;
  readonly from: ReleaseId;
  readonly to: ReleaseId;
  readonly recorder: Recorder;
  registry: readonly RegistryRow[];
  readonly events: JournalEvent[];
  readonly stops: StopView[];
};

export type DemoOutcome = {
  readonly recorder: Recorder;
  readonly stops: readonly StopView[];
  readonly images: ImageCheck;
  readonly rollout: { readonly code: number; readonly stderr: string; readonly seconds: number };
  readonly contracted: boolean;
  readonly from: ReleaseId;
  readonly to: ReleaseId;
  /** What the service is at in the end, by what clients are told. */
  readonly release: ReleaseId;
  readonly seconds: number;
};

const projects = ["red", "green", "blue", "amber"];
const imageCount = 24;
const clientCount = 12;
const slowClientCount = 4;
const requestsPerSecond = 130;
const usualBefore = { warmUpMs: 0, controlMs: 7_000 } as const;
/** In the time before a rollout transfers are let go as often as a drain of a few seconds lets them go. */
const letGoEveryMs = 7_000;
/** A rollout on a fast machine ends before there was much traffic; some more of it then shows the upgraded fleet. */
const requestsMin = 3_200;
const afterMsMax = 20_000;
const registryEveryMs = 400;

export function initialState({ from, to }: Pick<DemoOptions, "from" | "to">): DemoState {
  return { activity: "", from, to, recorder: new Recorder(), registry: [], events: [], stops: [] };
}

/** Ends early, with everything it started gone, when `signal` aborts. */
export async function runDemo(options: DemoOptions, state: DemoState, signal: AbortSignal): Promise<DemoOutcome> {
  const started = performance.now();
  const progress = (text: string) => {
    state.activity = text;
  };
  const fleet = await startFleet({ ...options, progress });
  // A fleet that is being left needs no orderly end of its traffic.
  const abandoned = new Promise<never>((_, reject) => {
    const abandon = () => reject(new Error("interrupted"));
    if (signal.aborted) abandon();
    signal.addEventListener("abort", abandon, { once: true });
  });
  abandoned.catch(() => undefined);
  try {
    const outcome = await Promise.race([withFleet(fleet, options, state, signal), abandoned]);
    return { ...outcome, seconds: Math.round((performance.now() - started) / 100) / 10 };
  } finally {
    await fleet.stop();
  }
}

/** Nothing is started once `signal` has aborted: the fleet's guard, which is looking for what to end by then, might have looked already. */
async function withFleet(
  fleet: RunningFleet,
  options: DemoOptions,
  state: DemoState,
  signal: AbortSignal,
): Promise<Omit<DemoOutcome, "seconds">> {
  const { seed, from, to } = options;
  const { recorder } = state;
  const { origin } = fleet;
  await options.begin?.(fleet);
  const images = sampleImages({ seed, count: imageCount, projects });
  const samples = await loadSamples(origin, recorder, images, (count) => {
    state.activity = `loading images: ${count} of ${images.length}`;
  });
  const { actors, stopTraffic, slow } = beginTraffic({ origin, recorder, samples, seed, strategy: options.strategy });
  const registry = await openRegistry(fleet.connection);
  const watching = new AbortController();
  const watch = watchRegistry(registry, state, watching.signal);
  // What it failed with is thrown when it is awaited.
  watch.catch(() => undefined);
  try {
    const { warmUpMs, controlMs } = options.before ?? usualBefore;
    await sleep(warmUpMs, undefined, { signal });
    recorder.window = "control";
    state.activity = `control window: the fleet as it is, at ${from}`;
    // What is compared with the rollout has its traffic: transfers that are let go while other requests are timed.
    for (let ms = 0; ms < controlMs; ms += letGoEveryMs) {
      slow.nodeStops();
      await sleep(Math.min(letGoEveryMs, controlMs - ms), undefined, { signal });
    }
    recorder.window = "rollout";
    state.activity = `rollout to ${to}`;
    const upgraded = await roll(fleet, state, slow);
    recorder.window = "after";
    state.activity = "traffic on the upgraded fleet";
    for (const started = performance.now(); recorder.requests < requestsMin; await sleep(100))
      if (performance.now() - started > afterMsMax) break;
    state.activity = "letting transfers end";
    await slow.stop();
    signal.throwIfAborted();
    const rollout = await contractLater(fleet, state, { slow, upgraded });
    await stopTraffic();
    const checked = await checkImages({
      origin,
      recorder,
      samples,
      actors,
      onChecked: (count) => {
        state.activity = `comparing images byte by byte: ${count}`;
      },
    });
    signal.throwIfAborted();
    const due = await fleet.manage("db", "check");
    await options.end?.(fleet);
    return {
      recorder,
      from,
      to,
      stops: state.stops,
      images: checked,
      rollout,
      contracted: due.code === 0,
      release: (await serves(origin, recorder, to, await registry.rows())) ? to : from,
    };
  } finally {
    watching.abort();
    try {
      await Promise.all([slow.stop(), stopTraffic()]);
      await watch;
    } finally {
      await registry.close();
    }
  }
}

/** After a hand-over uploads outlive the rollout, which leaves the contract pending; when they are through it goes on. */
async function contractLater(
  fleet: RunningFleet,
  state: DemoState,
  { slow, upgraded }: { slow: SlowTransfers; upgraded: DemoOutcome["rollout"] },
): Promise<DemoOutcome["rollout"]> {
  if (!state.events.some(isPending) || upgraded.code !== exitCodes.paused) return upgraded;
  state.activity = "contract, which was left pending";
  return { ...(await roll(fleet, state, slow)), seconds: upgraded.seconds };
}

function isPending(event: JournalEvent): boolean {
  return event.kind === "decision" && event.phase === "contract" && event.data?.do === "pause";
}

function beginTraffic(options: {
  strategy: Strategy;
  origin: string;
  recorder: Recorder;
  samples: readonly LoadedSample[];
  seed: number;
}) {
  const common = { ...options, projects };
  const steady = makeActors({ ...common, count: clientCount });
  const slowActors = makeActors({ ...common, seed: options.seed + 1_000, count: slowClientCount });
  const traffic = startTraffic({ actors: steady, requestsPerSecond });
  const slow = new SlowTransfers({ outlive: options.strategy === "handover" });
  slow.start(slowActors);
  const actors: readonly Actor[] = [...steady, ...slowActors];
  const stopTraffic = async () => {
    await traffic.stop();
    for (const actor of actors) actor.client.close();
  };
  return { actors, stopTraffic, slow };
}

async function roll(fleet: RunningFleet, state: DemoState, slow: SlowTransfers): Promise<DemoOutcome["rollout"]> {
  const started = performance.now();
  const process = startRollout(fleet.file, {
    cwd: fleet.folder,
    env: fleet.env,
    onEvent: (event) => {
      state.events.push(event);
      if (!isStop(event) && !isHandOver(event)) return;
      // A hand-over waits for no transfer, so none is let go for it.
      if (isStop(event)) slow.nodeStops();
      const row = state.registry.find((candidate) => candidate.name === event.node);
      state.stops.push({ node: event.node ?? "", uploads: row?.uploads ?? 0, downloads: row?.downloads ?? 0 });
    },
  });
  const { code, stderr } = await process.ended;
  return { code, stderr, seconds: Math.round((performance.now() - started) / 100) / 10 };
}

/** The entry that announces a node's stop, written before it is done. */
export function isStop(event: JournalEvent): boolean {
  return event.kind === "decision" && event.node !== undefined && event.data?.do === "stop";
}

function isHandOver(event: JournalEvent): boolean {
  return event.kind === "decision" && event.data?.do === "hand-over";
}

async function watchRegistry(
  registry: Awaited<ReturnType<typeof openRegistry>>,
  state: DemoState,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    state.registry = await registry.rows();
    await sleep(registryEveryMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Clients are told the release's versions; and where those are not new with it, every node says that it runs as it. */
async function serves(
  origin: string,
  recorder: Recorder,
  release: ReleaseId,
  rows: readonly RegistryRow[],
): Promise<boolean> {
  const client = new HttpClient(origin, recorder);
  const answer = await client.call({ kind: "versions", method: "GET", path: "/versions", expect: [200] });
  client.close();
  const { apiVersions } = releaseOf(release);
  const expected = apiVersions(noFeatures).map(({ id, status }) => `${id} ${status}`);
  const announced = answer && announcedVersions(answer).map(({ id, status }) => `${id} ${status}`);
  return announced?.join() === expected.join() && rows.every((row) => row.release === release);
}

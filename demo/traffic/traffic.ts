// Steady traffic of all kinds: several clients, each with a connection of its own, at a bounded rate that does not depend on how fast
// answers come (a client that fell behind does not catch up in a burst, though).
import { setTimeout as sleep } from "node:timers/promises";
import { type Actor, type Kind, type LoadedSample, seededRandom } from "./actor.ts";
import { create } from "./create.ts";
import { remove } from "./delete.ts";
import { download, range } from "./download.ts";
import { HttpClient, type Tokens } from "./http-client.ts";
import { list, listAll } from "./list.ts";
import { members } from "./members.ts";
import { patch, publish } from "./patch.ts";
import type { Recorder } from "./recorder.ts";
import { show } from "./show.ts";
import { tags } from "./tags.ts";
import { upload } from "./upload.ts";
import { versions } from "./versions.ts";

export const kinds: readonly Kind[] = [
  list,
  listAll,
  show,
  create,
  patch,
  publish,
  members,
  tags,
  upload,
  download,
  range,
  remove,
  versions,
];

export type Traffic = AsyncDisposable & {
  readonly actors: readonly Actor[];
  /** Lets every turn under way end. Throws where a turn crashed, which is a mistake of the traffic's, not of the service's. */
  stop(): Promise<void>;
};

export function makeActors(options: {
  origin: string;
  recorder: Recorder;
  samples: readonly LoadedSample[];
  projects: readonly string[];
  seed: number;
  count: number;
  tokens?: Tokens;
}): Actor[] {
  const { origin, recorder, samples, projects, seed, count, tokens } = options;
  return Array.from({ length: count }, (_, index) => ({
    client: new HttpClient(origin, recorder, tokens),
    project: projects[index % projects.length] ?? "demo",
    otherProject: projects[(index + 1) % projects.length] ?? "other",
    samples,
    own: [],
    seed: seed + index,
    random: seededRandom(seed * 1_000 + index),
  }));
}

/** `mix`: what the actors do. Absent: all kinds. */
export function startTraffic(options: {
  actors: readonly Actor[];
  requestsPerSecond: number;
  mix?: readonly Kind[];
}): Traffic {
  const { actors, requestsPerSecond, mix = kinds } = options;
  const stopping = new AbortController();
  const everyMs = (actors.length * 1_000) / requestsPerSecond;
  const loops = actors.map((actor, index) =>
    work({ actor, mix }, (index * everyMs) / actors.length, everyMs, stopping.signal),
  );
  // Looked at by stop(); a crash before must not end the process in between.
  for (const loop of loops) loop.catch(() => undefined);
  const stop = async () => {
    stopping.abort();
    await Promise.all(loops);
  };
  return {
    actors,
    stop,
    // Where something else fails: it would never end by itself.
    [Symbol.asyncDispose]: stop,
  };
}

type Working = { readonly actor: Actor; readonly mix: readonly Kind[] };

async function work({ actor, mix }: Working, offsetMs: number, everyMs: number, stopping: AbortSignal): Promise<void> {
  let due = performance.now() + offsetMs;
  while (!stopping.aborted) {
    const waitMs = due - performance.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal: stopping }).catch(() => undefined);
    if (stopping.aborted) return;
    const before = actor.client.calls;
    await choose(actor, mix).run(actor);
    // A turn of several requests uses up as many places of the rate.
    due = Math.max(due + everyMs * (actor.client.calls - before), performance.now() - everyMs);
  }
}

function choose(actor: Actor, mix: readonly Kind[]): Kind {
  const ready = mix.filter((kind) => kind.ready(actor));
  let left = actor.random() * ready.reduce((sum, kind) => sum + kind.weight, 0);
  for (const kind of ready) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  return show;
}

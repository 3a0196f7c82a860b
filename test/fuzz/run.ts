// Sends any number of requests that a seed decides, judges each answer, and looks in the end at what became of everything.
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { eventually } from "../servers/eventually.ts";
import { wrongStates } from "./aftermath.ts";
import { Client, type Sent } from "./exchange.ts";
import { Judge } from "./judge.ts";
import { callers, keep } from "./projects.ts";
import { draftsFor } from "./requests.ts";
import { startFuzzedService } from "./service.ts";
import { Things } from "./things.ts";

export type FuzzOptions = {
  readonly cases: number;
  readonly seed: number;
  /** After so many the run ends: one bug is often the cause of many. */
  readonly mistakesMax: number;
  progress?(done: number): void;
  /** Called with each mistake at once: a long run need not end for the first one to be read. */
  tell?(mistake: string): void;
};

export type FuzzResult = {
  readonly sent: number;
  /** How often each status was the answer; 0: the client left. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Calls that were answered well at least once, as `METHOD path`. */
  readonly reached: ReadonlySet<string>;
  readonly described: ReadonlySet<string>;
  /** A text each; none is the promise. */
  readonly mistakes: readonly string[];
};

/** Drafts that are made at once: enough to keep making them cheap, few enough for memory. */
const batch = 1_000;

export async function fuzz({ cases, seed, mistakesMax, progress, tell }: FuzzOptions): Promise<FuzzResult> {
  await using service = await startFuzzedService();
  const { nodes, db } = service;
  const newest = nodes.at(-1);
  if (!newest) throw new Error("nothing to fuzz");
  const kept = await keep(newest, db);
  const before = await kept.snapshot();
  const things = new Things(service, kept);
  const judge = new Judge(nodes, kept);
  // The newest has the most calls, and some that no other here has.
  const drafts = fc.oneof(
    ...nodes.map((node, at) => ({ weight: node === newest ? 3 : 1, arbitrary: draftsFor(at, node.description) })),
  );
  const statuses = new Map<number, number>();
  const reached = new Set<string>();
  const mistakes: string[] = [];
  const count = (mistake: string) => {
    mistakes.push(mistake);
    tell?.(mistake);
  };
  using client = new Client();
  let sentCount = 0;
  while (sentCount < cases && mistakes.length < mistakesMax) {
    const numRuns = Math.min(batch, cases - sentCount);
    for (const draft of fc.sample(drafts, { seed: seed + sentCount, numRuns })) {
      const caller = callers[draft.caller] ?? callers[0];
      const node = nodes[draft.node] ?? newest;
      const sent = things.sent(draft, caller);
      sentCount += 1;
      let mistake: string | null;
      try {
        const answer = await client.send(node.port, sent);
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (answer.status >= 200 && answer.status < 300) reached.add(`${draft.method} ${draft.path}`);
        mistake = judge.mistake(draft, sent, answer, caller);
        things.learn(draft, sent, answer);
      } catch (error) {
        mistake = String(error);
      }
      if (mistake !== null) count(`case ${sentCount} as ${node.release}: ${shown(sent)}\n  ${mistake}`);
      if (mistakes.length >= mistakesMax) break;
    }
    progress?.(sentCount);
  }
  const through = () => nodes.every(({ transfers }) => transfers.snapshot().length === 0);
  await eventually("imports are through", through, { msMax: 120_000 });
  await service.startAgain();
  for (const mistake of await wrongStates(service)) count(mistake);
  const after = await kept.snapshot();
  if (!isDeepStrictEqual(after, before))
    count(`what another project keeps was changed, from ${JSON.stringify(before)} to ${JSON.stringify(after)}`);
  const described = nodes.flatMap(({ description }) =>
    Object.entries(description.paths).flatMap(([path, calls]) =>
      Object.keys(calls).map((method) => `${method.toUpperCase()} ${path}`),
    ),
  );
  return { sent: sentCount, statuses, reached, described: new Set(described), mistakes };
}

/** To be read, and to be sent again by hand. */
function shown({ method, path, headers, body, sending }: Sent): string {
  const text = body === null ? "" : ` ${sending} ${JSON.stringify(body.subarray(0, 1_000).toString("latin1"))}`;
  return `${method} ${path} ${JSON.stringify(headers)}${text}`;
}

// The server of the console's page for its benchmark, in a process of its own so that what it costs is known: a fleet in the middle of its
// rollout, of which every node looks otherwise four times a second. What changes is made beforehand; all that is done meanwhile is the server's.
import { fileURLToPath } from "node:url";
import { LiveDesk } from "../src/console/live-desk.ts";
import { findPage } from "../src/console/page-folder.ts";
import { createConsoleServer, listen } from "../src/console/server.ts";
import { systemClock } from "../src/core/clock.ts";
import type { JournalEvent } from "../src/rollout/journal-event.ts";
import type { FleetSample } from "../src/rollout/samples/sample.ts";
import type { NodeView } from "../src/rollout/snapshot.ts";
import type { PageAnswer, PageQuestion } from "./console-page.ts";

const updateEveryMs = 250;
/** As a run keeps them. */
const updatesPerSample = 8;
const entriesBefore = 5_000;
const entriesPerDecision = 15;
const samplesBefore = 600;

const count = Number(process.argv[2]);
const names = Array.from({ length: count }, (_one, index) => `node-${index + 1}`);
const startMs = Date.now();
const states = [0, 1].map((turn) => names.map((name, index) => view(name, index, turn)));
const clock = systemClock;
const fleet = { name: "glance", target: "ocata", nodes: names.map((name) => ({ name })) } as never;
const desk = new LiveDesk({ fleet, control: true, clock });
desk.open(
  "glance-ocata-20260101T000000Z",
  Array.from({ length: entriesBefore }, (_one, index) => entry(index + 1)),
);
desk.addSamples(Array.from({ length: samplesBefore }, (_one, index) => sample(index + 1)));
look(0);

const page = await findPage(fileURLToPath(new URL("../", import.meta.url)), clock);
const past = { list: async () => [], find: async () => undefined };
const control = { token: "a-token-of-enough-characters", doAct: async () => "" };
const app = createConsoleServer({ feed: desk.feed, past, page, host: "127.0.0.1", control });
const address = await listen(app, "127.0.0.1", 0);

let used = process.cpuUsage();
let sinceMs = performance.now();
let updates = 0;
setInterval(() => {
  updates++;
  look(updates);
  desk.add([entry(entriesBefore + updates)]);
  if (updates % updatesPerSample === 0) desk.addSamples([sample(samplesBefore + updates / updatesPerSample)]);
}, updateEveryMs);

process.on("message", (question: PageQuestion) => {
  const { user, system } = process.cpuUsage(used);
  const answer: PageAnswer = { cpuMs: (user + system) / 1_000, ms: performance.now() - sinceMs, updates };
  if (question.ask === "begin") {
    used = process.cpuUsage();
    sinceMs = performance.now();
    updates = 0;
  }
  process.send?.(answer);
});
process.on("disconnect", () => process.exit(0));
process.send?.({ address, page });

function look(turn: number): void {
  const nothing = { backup: "verified", strangers: [], request: null, soakedMs: 0, canary: null } as const;
  desk.look({ nodes: states[turn % 2] ?? [], due: "contract", ...nothing });
}

/** The first 400 have moved, one is on its way. */
function view(name: string, index: number, turn: number): NodeView {
  const isOut = index === Math.floor(count * 0.4);
  return {
    name,
    configRelease: "ocata",
    process: isOut ? "stopping" : "running",
    release: index < count * 0.4 ? "ocata" : "newton",
    healthy: !isOut,
    processMs: 0,
    rotation: { state: isOut ? "drain" : "ready", up: true, sessions: index + turn },
    transfers: { count: 3, bytesLeft: 5_000_000_000 + turn, etaSeconds: 80 - turn },
    heartbeatAgeSeconds: 1 + turn,
    starts: 0,
    lastWords: null,
    gate: "off",
  };
}

function entry(seq: number): JournalEvent {
  const time = new Date(startMs - 3_600_000 + seq * 500).toISOString();
  const node = names[seq % count] ?? "";
  const about = { seq, time, phase: "nodes", node } as const;
  if (seq % entriesPerDecision === 0)
    return { ...about, kind: "decision", text: `drain ${node}: it serves newton`, data: { do: "drain" } };
  const text = `${node} holds 3 transfers, ${seq % 16}.2 GB left, about ${seq % 90} s`;
  const data =
    seq === 1 ? { began: Object.fromEntries(names.map((name) => [name, "newton"])) } : { key: `stop ${node}` };
  return { ...about, kind: "observation", text, data };
}

function sample(seq: number): FleetSample {
  const edges = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600, null];
  const times = edges.map((edge, index) => [edge, seq * 50 * (index + 1)] as const);
  const answers = { "2xx": seq * 700, "3xx": 0, "4xx": seq * 50, "5xx": 0 };
  const atMs = startMs + (seq - samplesBefore) * 2_000;
  return { atMs, run: "a", answers, transfers: seq * 9, times, balancerFailures: 0, told: count, asked: count };
}

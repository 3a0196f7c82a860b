// Claim: a rollout of 24 hours with 1,000 nodes opens in under 2 s: both copies of its journal read and checked, its samples read, and all
// of it brought together to the view of its end. From the first moment on it is replayed without waiting, whichever way the slider goes.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRollout } from "../src/console/read-rollout.ts";
import { Timeline } from "../src/console/timeline.ts";
import { openDatabase } from "../src/db/connect.ts";
import type { Database } from "../src/db/database.ts";
import { createRolloutJournalRepository } from "../src/db/repositories/rollout-journal-repository.ts";
import { createRolloutSampleRepository } from "../src/db/repositories/rollout-sample-repository.ts";
import { ensureTables } from "../src/db/schema/own-tables.ts";
import { rolloutTables } from "../src/db/schema/rollout-tables.ts";
import { type ChainedLine, chainLine, chainStart } from "../src/rollout/journal-chain.ts";
import type { NewEvent } from "../src/rollout/journal-event.ts";
import type { FleetSample, NodeSample } from "../src/rollout/samples/sample.ts";
import { nodesKept, thinning } from "../src/rollout/samples/sample-store.ts";
import { writeFleetSample, writeNodeSamples } from "../src/rollout/samples/sample-text.ts";
import type { Bench } from "./bench.ts";

const rolloutId = "glance-ocata-20260101T000000Z";
const beganMs = Date.parse("2026-01-01T00:00:00Z");
const dayMs = 86_400_000;
const nodeSteps = ["drain", "stop", "disable", "install", "start", "probe", "enable"] as const;
/** A day's worth, every two seconds. */
const looks = dayMs / 2_000;
const fleetKept = 600;

export const consoleOpen: Bench = {
  name: "console-open",
  summary: "a rollout of 24 hours opened for the console and the report",
  async run({ scale, progress }) {
    const nodes = Array.from({ length: Math.max(10, Math.round(1_000 * scale)) }, (_one, index) => `node-${index + 1}`);
    const folder = mkdtempSync(join(tmpdir(), "perennial-bench-console-"));
    const path = join(folder, "glance.sqlite");
    writeFileSync(path, "");
    const db = await openDatabase(`sqlite:///${path}`);
    try {
      progress(`writing a day of ${nodes.length} nodes`);
      const lines = journalOf(nodes);
      writeFileSync(join(folder, `${rolloutId}.jsonl`), `${lines.map(({ entry }) => entry).join("\n")}\n`);
      await store(db, lines, nodes);
      progress("opening it");
      const startMs = performance.now();
      const journals = createRolloutJournalRepository(db);
      const samples = async () => createRolloutSampleRepository(db);
      const found = await readRollout({ folder, fleet: "glance", journals, samples });
      if (!found) throw new Error("the rollout is not found");
      const readMs = performance.now() - startMs;
      const timeline = new Timeline(found.record);
      const view = timeline.viewAt(beganMs + dayMs);
      const openMs = performance.now() - startMs;
      if (view.nodes.length !== nodes.length || view.journal.total !== lines.length)
        throw new Error("not all is there");
      return [
        { what: "entries of the journal", value: lines.length, unit: "entries" },
        { what: "of it, reading and checking both copies and the samples", value: readMs, unit: "ms" },
        {
          what: "opened: read, checked and brought to the view of its end",
          value: openMs,
          unit: "ms",
          bound: { atMost: 2_000 },
        },
        { what: "slider: the slowest of 24 moments, backwards", value: slowestMoment(timeline), unit: "ms" },
      ];
    } finally {
      await db.close();
      rmSync(folder, { recursive: true });
    }
  },
};

function slowestMoment(timeline: Timeline): number {
  const taken = Array.from({ length: 24 }, (_one, hour) => {
    const startMs = performance.now();
    timeline.viewAt(beganMs + (24 - hour) * 3_600_000 - 1, { entriesMax: 200 });
    return performance.now() - startMs;
  });
  return Math.max(...taken);
}

/** Each node's steps one after the other, and the words on its waiting in between. */
function journalOf(nodes: readonly string[]): readonly ChainedLine[] {
  const began = Object.fromEntries(nodes.map((name) => [name, "newton"]));
  const events: NewEvent[] = [{ kind: "observation", phase: "backup", text: "it begins", data: { began } }];
  for (const node of nodes) {
    for (const step of nodeSteps) {
      const text = `${step} ${node}: it serves newton; ${nodes.length - 1} others serve`;
      events.push({ kind: "decision", phase: "nodes", node, text, data: { do: step, sessions: 12 } });
      events.push({
        kind: "result",
        phase: "nodes",
        node,
        text: `${node}: done`,
        data: { do: step, ok: true, ms: 120 },
      });
    }
    for (let word = 0; word < 16; word++) {
      const text = `${node} holds 3 transfers, ${16 - word}.2 GB left, about ${(16 - word) * 5} s`;
      events.push({ kind: "observation", phase: "nodes", node, text, data: { key: `stop ${node}` } });
    }
  }
  events.push({ kind: "decision", phase: "done", text: "every node serves ocata", data: { do: "finish" } });
  const lines: ChainedLine[] = [];
  for (const [index, event] of events.entries()) {
    const time = new Date(beganMs + (dayMs * index) / events.length).toISOString();
    lines.push(chainLine({ seq: index + 1, time, ...event }, lines.at(-1)?.hash ?? chainStart(rolloutId)));
  }
  return lines;
}

/** As a run leaves it: the journal in full, the samples thinned. */
async function store(db: Database, lines: readonly ChainedLine[], nodes: readonly string[]): Promise<void> {
  await ensureTables(db, rolloutTables);
  await db.transaction(async (tx) => {
    for (const { seq, hash, entry } of lines)
      await tx.run("INSERT INTO perennial_rollout_journal (rollout_id, seq, hash, entry) VALUES (?, ?, ?, ?)", [
        rolloutId,
        seq,
        hash,
        entry,
      ]);
  });
  const samples = createRolloutSampleRepository(db);
  const nodeBody = writeNodeSamples(nodes.map(nodeSample));
  for (let seq = 1; seq <= looks; seq++) {
    const atMs = beganMs + seq * 2_000;
    if (isKept(seq, fleetKept))
      await samples.add(rolloutId, "fleet", { seq, atMs, body: writeFleetSample(fleetSample(atMs, seq)) });
    if (isKept(seq, nodesKept(nodes.length))) await samples.add(rolloutId, "nodes", { seq, atMs, body: nodeBody });
  }
}

function isKept(seq: number, kept: number): boolean {
  return thinning(looks, kept).every(({ upTo, step }) => seq > upTo || seq % step === 0);
}

function fleetSample(atMs: number, seq: number): FleetSample {
  const edges = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600, null];
  const times = edges.map((edge, index) => [edge, seq * 50 * (index + 1)] as const);
  const answers = { "2xx": seq * 700, "3xx": 0, "4xx": seq * 50, "5xx": 0 };
  return { atMs, run: "a", answers, transfers: seq * 9, times, balancerFailures: 0, told: 1_000, asked: 1_000 };
}

function nodeSample(name: string): NodeSample {
  return {
    name,
    release: "newton",
    process: "running",
    healthy: true,
    rotation: "ready",
    up: true,
    requests: 12,
    transfers: { count: 3, bytesLeft: 16_200_000_000, etaSeconds: 80 },
    heartbeatAgeSeconds: 2,
  };
}

// Who is told of a rollout: in order, at least once, over a kill; and figures that can be read at any moment.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Clock } from "../../core/clock.ts";
import { ServiceError } from "../../core/errors.ts";
import type { JournalEvent } from "../journal-event.ts";
import { destinationsOf } from "./destinations.ts";
import { type Destination, EventOutbox } from "./event-outbox.ts";
import { RolloutMetrics } from "./rollout-metrics.ts";

const root = mkdtempSync(join(tmpdir(), "perennial-events-"));
after(() => rmSync(root, { recursive: true }));
const clock: Clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: async () => undefined };
const entry = (seq: number, change: Partial<JournalEvent> = {}): JournalEvent => {
  return { seq, time: "2026-01-01T00:00:00.000Z", kind: "decision", phase: "nodes", text: `entry ${seq}`, ...change };
};
const closeMsMax = 60_000;

test("outbox: entries are told in order, one that is not taken again, and only the kinds that are wanted", async () => {
  const told: number[] = [];
  const trouble: string[] = [];
  let refusals = 3;
  const destination: Destination = {
    name: "the hook",
    kinds: ["decision"],
    async send({ seq }) {
      if (seq === 2 && refusals-- > 0) throw new ServiceError("rollout.driver_failed", "no");
      told.push(seq);
    },
  };
  const events: JournalEvent[] = [];
  const cursorFile = join(root, "order");
  const outbox = new EventOutbox({ destination, cursorFile, events, clock, onTrouble: (text) => trouble.push(text) });
  events.push(entry(1), entry(2), entry(3, { kind: "action" }), entry(4));
  outbox.poke();
  await outbox.close(closeMsMax);
  assert.deepEqual(told, [1, 2, 4]);
  assert.deepEqual(trouble, ["the hook was not told of entry 2: no"]);
  assert.equal(readFileSync(cursorFile, "utf8"), "4\n");
});

test("outbox: what a killed run had not told the next one tells; a host that never told begins with what is new", async () => {
  const cursorFile = join(root, "killed");
  const told: number[] = [];
  const destination: Destination = { name: "x", kinds: ["decision"], send: async ({ seq }) => void told.push(seq) };
  const about = { destination, cursorFile, clock, onTrouble: () => undefined };
  const events = [entry(1)];
  const first = new EventOutbox({ ...about, events });
  events.push(entry(2));
  first.poke();
  await first.close(closeMsMax);
  const next = new EventOutbox({ ...about, events: [...events, entry(3)] });
  await next.close(closeMsMax);
  assert.deepEqual(told, [2, 3]);
});

test("outbox: one that is never taken does not hold up the end of a run", async () => {
  const send = async () => Promise.reject(new ServiceError("rollout.driver_failed", "no"));
  const events: JournalEvent[] = [];
  const patient: Clock = {
    ...clock,
    sleep: (_ms, signal) =>
      new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
  };
  const destination: Destination = { name: "x", kinds: ["decision"], send };
  const cursorFile = join(root, "never");
  const outbox = new EventOutbox({ destination, cursorFile, events, clock: patient, onTrouble: () => undefined });
  events.push(entry(1));
  outbox.poke();
  await outbox.close(10);
  await outbox.close(10);
});

test("webhook and hooks get the entry as JSON with its rollout; an answer that is no success is a failure", async (t) => {
  const bodies: Record<string, unknown>[] = [];
  let status = 204;
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    bodies.push({ ...JSON.parse(text), auth: request.headers.authorization });
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret`;
  const file = join(root, "told");
  const script = `require("node:fs").appendFileSync(${JSON.stringify(file)}, process.argv[1] + " " + require("node:fs").readFileSync(0, "utf8"))`;
  const kinds = ["decision"] as const;
  const [webhook, hook, failing] = destinationsOf(
    {
      webhook: { url, headers: { authorization: "Bearer x" }, kinds },
      hooks: [
        { command: [process.execPath, "-e", script, "{phase}/{do}"], kinds },
        { command: [process.execPath, "-e", "process.exit(3)"], kinds },
      ],
    },
    { rollout: "r1", fleet: "glance" },
  );
  assert(webhook && hook && failing);
  const { signal } = new AbortController();
  const event = entry(7, { data: { do: "drain" } });
  await webhook.send(event, signal);
  assert.deepEqual(bodies, [{ rollout: "r1", fleet: "glance", ...event, auth: "Bearer x" }]);
  status = 500;
  await assert.rejects(webhook.send(event, signal), (error: Error) => {
    return /answers 500/.test(error.message) && !error.message.includes("secret");
  });
  await hook.send(event, signal);
  const [words, ...rest] = readFileSync(file, "utf8").split(" ");
  assert.equal(words, "nodes/drain");
  assert.deepEqual(JSON.parse(rest.join(" ")), { rollout: "r1", fleet: "glance", ...event });
  await assert.rejects(failing.send(event, signal), {
    code: "rollout.driver_failed",
    message: /events\.hooks\[1\].*ended with 3/,
  });
});

test("metrics: phase, nodes, steps and pauses stand in the file, with those of earlier runs; an unwritable file stops nothing", async () => {
  const file = join(root, "rollout.prom");
  const trouble: unknown[] = [];
  const onTrouble = (error: unknown) => trouble.push(error);
  const about = { rolloutId: "r1", fleet: "glance", target: "ocata", onTrouble };
  const events = [entry(1, { kind: "result", phase: "backup", data: { do: "back-up", ok: true } })];
  const metrics = new RolloutMetrics({ ...about, file, events });
  metrics.event(entry(2, { kind: "result", data: { do: "drain", ok: false } }));
  metrics.event(entry(3, { data: { do: "pause" } }));
  metrics.look([]);
  await metrics.end();
  const text = readFileSync(file, "utf8");
  for (const line of [
    'perennial_rollout_info{rollout="r1",fleet="glance",target="ocata"} 1',
    "perennial_rollout_running 0",
    'perennial_rollout_phase{phase="nodes"} 1',
    'perennial_rollout_steps_total{step="back-up",ok="true"} 1',
    'perennial_rollout_steps_total{step="drain",ok="false"} 1',
    "perennial_rollout_pauses_total 1",
    "perennial_rollout_nodes_serving 0",
  ])
    assert(text.includes(`${line}\n`), `${line}\n${text}`);
  assert(!text.includes('phase="backup"'));
  await new RolloutMetrics({ ...about, file: join(root, "absent", "x.prom"), events }).end();
  assert.equal(trouble.length, 1);
});

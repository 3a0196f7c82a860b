// The probe's process; see stall-probe.ts. Statements are those that are right at every moment of an upgrade: those of an old node
// while the database is widened, those of a new one while it is narrowed.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "hdr-histogram-js";
import { type Connection, createConnection } from "mysql2/promise";
import { type ProbeOptions, type ProbeResult, slowKept, slowMs } from "./stall-probe.ts";

const [{ connection, ids, writesAs }] = (await once(process, "message")) as [ProbeOptions];
/** Between two statements; the probe is to feel stalls, not to be the load. */
const pauseMs = 2;
const errorsKept = 20;
const beganMs = performance.now();
let stopping = false;

const [column, value] = writesAs === "newton" ? ["is_public", "0"] : ["visibility", "'shared'"];
const insert = `INSERT INTO images (id, name, status, created_at, deleted, min_disk, min_ram, protected, ${column})
  VALUES (?, 'probe', 'queued', UTC_TIMESTAMP(), 0, 0, 0, 0, ${value})`;

const loops = [
  probe("update", (db, id) => db.query("UPDATE images SET updated_at = UTC_TIMESTAMP() WHERE id = ?", [id])),
  probe("select", (db, id) => db.query("SELECT id, name, status FROM images WHERE id = ?", [id])),
  probe("insert", (db) => db.query(insert, [randomUUID()])),
];
process.send?.("ready");
await once(process, "message");
stopping = true;
process.send?.(Object.fromEntries(await Promise.all(loops)) as ProbeResult);
process.disconnect?.();

async function probe(kind: string, work: (db: Connection, id: string) => Promise<unknown>) {
  const db = await createConnection(connection);
  const histogram = build({ highestTrackableValue: 600_000_000, numberOfSignificantValueDigits: 3 });
  const errors: string[] = [];
  const slow: { atMs: number; ms: number }[] = [];
  for (let turn = 0; !stopping; turn++) {
    const started = performance.now();
    try {
      await work(db, ids[(turn * 7_919) % ids.length] ?? "");
    } catch (error) {
      if (errors.length < errorsKept) errors.push(error instanceof Error ? error.message : String(error));
    }
    const ms = performance.now() - started;
    histogram.recordValue(Math.max(1, Math.round(ms * 1_000)));
    if (ms >= slowMs && slow.length < slowKept) slow.push({ atMs: Math.round(started - beganMs), ms: Math.round(ms) });
    await sleep(pauseMs);
  }
  await db.end();
  const [maxMs, p99Ms] = [histogram.maxValue / 1_000, histogram.getValueAtPercentile(99) / 1_000];
  return [kind, { count: histogram.totalCount, maxMs, p99Ms, errors, slow }];
}

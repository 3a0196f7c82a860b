import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { isServiceError } from "../core/errors.ts";
import { silentLogger } from "../core/logger.ts";
import type { NodeRow } from "../db/repositories/node-repository.ts";
import type { NodeRecords } from "./parts.ts";
import { NodeRegistry, oldestOf } from "./registry.ts";
import { noTransfers } from "./transfer-summary.ts";

/** Rows as the database keeps them, with a clock that tests set. */
class MemoryRecords implements NodeRecords {
  rows = new Map<string, { record: NodeRow; silentSeconds: number }>();

  find = async (name: string) => this.rows.get(name);
  claim = async (record: NodeRow, previous: NodeRow | undefined) => {
    const present = this.rows.get(record.name)?.record;
    if (present?.pid !== previous?.pid || present?.address !== previous?.address) return false;
    this.rows.set(record.name, { record, silentSeconds: 0 });
    return true;
  };
  beat = async (record: NodeRow) => {
    const present = this.rows.get(record.name)?.record;
    if (present?.pid !== record.pid || present.address !== record.address) return false;
    this.rows.set(record.name, { record, silentSeconds: 0 });
    return true;
  };
}

const here = "127.0.0.1:9292";
const beat = { state: "serving", release: "ocata", transfers: noTransfers, p99Ms: null } as const;
/** The id of a process that has just ended. */
const deadPid = spawnSync(process.execPath, ["-e", ""]).pid;

function row(changes: Partial<NodeRow> = {}): NodeRow {
  return { name: "n1", address: here, packageVersion: "1", pid: deadPid, ...beat, ...changes };
}

function registry(records: NodeRecords, changes: { address?: string; pid?: number } = {}): NodeRegistry {
  return new NodeRegistry({
    name: "n1",
    address: here,
    records,
    packageVersion: "1",
    pid: process.pid,
    logger: () => silentLogger,
    ...changes,
  });
}

function withRow(record: NodeRow, silentSeconds: number): MemoryRecords {
  const records = new MemoryRecords();
  records.rows.set(record.name, { record, silentSeconds });
  return records;
}

test("registry: a name that is free, stopped or long silent is taken", async () => {
  const records = new MemoryRecords();
  await registry(records).register("ocata");
  assert.equal(records.rows.get("n1")?.record.state, "starting");
  await registry(withRow(row({ state: "stopped", address: "10.0.0.1:9292" }), 1)).register("ocata");
  await registry(withRow(row({ address: "10.0.0.1:9292" }), 31)).register("ocata");
});

test("registry: a living node of the same name elsewhere refuses the start, and is named", async () => {
  const records = withRow(row({ address: "10.0.0.1:9292", pid: 77 }), 3);
  await assert.rejects(registry(records).register("ocata"), (error) => {
    assert(isServiceError(error, "node.start_refused"));
    assert.match(error.message, /n1 .*10\.0\.0\.1:9292 \(process 77, last heartbeat 3 s ago\)/);
    return true;
  });
  assert.equal(records.rows.get("n1")?.record.pid, 77);
});

test("registry: a node killed a moment ago comes back under its name at once", async () => {
  const records = withRow(row(), 1);
  await registry(records).register("ocata");
  assert.equal(records.rows.get("n1")?.record.pid, process.pid);
});

test("registry: of two that start at once under a name, one is refused", async () => {
  const records = new MemoryRecords();
  const starts = [registry(records, { address: "10.0.0.1:1" }), registry(records, { address: "10.0.0.2:1" })];
  const results = await Promise.allSettled(starts.map((one) => one.register("ocata")));
  assert.deepEqual(results.map((result) => result.status).sort(), ["fulfilled", "rejected"]);
});

test("registry: a row taken by another node is noticed, left alone while that one lives, and taken back afterwards", async () => {
  const records = new MemoryRecords();
  const ours = registry(records);
  await ours.register("ocata");
  assert.equal(await ours.beat(beat), true);
  records.rows.set("n1", { record: row({ address: "10.0.0.1:9292", pid: 77 }), silentSeconds: 2 });
  assert.equal(await ours.beat(beat), false);
  assert.equal(records.rows.get("n1")?.record.pid, 77);
  await ours.leave("ocata");
  assert.equal(records.rows.get("n1")?.record.state, "serving", "the other node's row is not ours to end");
  records.rows.set("n1", { record: row({ address: "10.0.0.1:9292", pid: 77 }), silentSeconds: 31 });
  assert.equal(await ours.beat(beat), true);
});

test("registry: a row that somebody removed is written again", async () => {
  const records = new MemoryRecords();
  const ours = registry(records);
  await ours.register("ocata");
  records.rows.clear();
  assert.equal(await ours.beat(beat), true);
  assert.equal(records.rows.get("n1")?.record.pid, process.pid);
});

test("registry: leaving marks the row stopped", async () => {
  const records = new MemoryRecords();
  const ours = registry(records);
  await ours.leave("ocata");
  assert.equal(records.rows.size, 0, "never registered, nothing to say");
  await ours.register("ocata");
  await ours.leave("ocata");
  assert.equal(records.rows.get("n1")?.record.state, "stopped");
});

test("registry: a move to another port keeps the row", async () => {
  const records = new MemoryRecords();
  const ours = registry(records);
  await ours.register("ocata");
  ours.address = "127.0.0.1:9393";
  assert.equal(await ours.beat(beat), true);
  assert.equal(records.rows.get("n1")?.record.address, "127.0.0.1:9393");
  assert.equal(await ours.beat(beat), true);
});

test("registry: the older of two releases is the one that contract has to wait for", () => {
  assert.equal(oldestOf(["ocata", "newton", "ocata"]), "newton");
});

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
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

  list = async () => [...this.rows.values()];
  drop = async ({ name, pid }: Pick<NodeRow, "name" | "pid">) => {
    if (this.rows.get(name)?.record.pid === pid) this.rows.delete(name);
  };
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

test("registry: a process that takes over stands beside the name, then has it, while the one before stands beside it in its turn", async (t) => {
  const records = new MemoryRecords();
  const script = `process.title = "glance-api"; process.stdout.write("up"); setInterval(() => {}, 1000)`;
  const before = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => before.kill());
  await once(before.stdout, "data");
  const old = registry(records, { pid: before.pid ?? 0 });
  const young = registry(records);
  const rows = () =>
    [...records.rows.values()].map(({ record }) => `${record.name} ${record.pid} ${record.release}`).sort();
  const [oldPid, youngPid] = [before.pid, process.pid];
  await old.register("newton");
  await young.registerBeside("ocata");
  assert.deepEqual(rows(), [`n1 ${oldPid} newton`, `n1~${youngPid} ${youngPid} ocata`].sort());
  await old.stepAside({ ...beat, release: "newton" });
  assert.equal(await old.beat({ ...beat, release: "newton" }), true);
  await young.takeName("ocata", oldPid ?? 0);
  assert.equal(await young.beat(beat), true);
  assert.equal(
    await old.beat({ ...beat, state: "draining", release: "newton" }),
    true,
    "it still has a row of its own",
  );
  assert.deepEqual(rows(), [`n1 ${youngPid} ocata`, `n1~${oldPid} ${oldPid} newton`].sort());
  await old.leave("newton");
  assert.deepEqual(rows(), [`n1 ${youngPid} ocata`]);
});

test("registry: where nobody took over the name is the old process's again, though it had been given away", async () => {
  const records = new MemoryRecords();
  const ours = registry(records);
  await ours.register("newton");
  await ours.stepAside({ ...beat, release: "newton" });
  // The new process had it, and died.
  records.rows.set("n1", { record: row({ release: "ocata" }), silentSeconds: 0 });
  await ours.stepBack();
  assert.equal(await ours.beat({ ...beat, release: "newton" }), true);
  const found = [...records.rows.values()].map(({ record }) => [record.name, record.pid, record.release]);
  assert.deepEqual(found, [["n1", process.pid, "newton"]]);
});

test("registry: rows of processes that died beside the name are forgotten when it is registered anew", async () => {
  const records = withRow(row({ name: "n1~77", pid: 77 }), 31);
  records.rows.set("n1~78", { record: row({ name: "n1~78", pid: 78 }), silentSeconds: 3 });
  records.rows.set("n10~77", { record: row({ name: "n10~77", pid: 77 }), silentSeconds: 31 });
  await registry(records).register("ocata");
  assert.deepEqual([...records.rows.keys()].sort(), ["n1", "n10~77", "n1~78"]);
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

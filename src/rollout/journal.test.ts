// The journal and the fleet lock: what was acknowledged is there after a crash, and two rollouts never run at once.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../core/clock.ts";
import { acquireFleetLock } from "./fleet-lock.ts";
import { isFinished, Journal, readJournals } from "./journal.ts";
import type { JournalEvent } from "./journal-event.ts";

const root = mkdtempSync(join(tmpdir(), "perennial-journal-"));
after(() => rmSync(root, { recursive: true }));
let folders = 0;
const newFolder = () => join(root, String(folders++));
const openIn = (folder: string, onEvent: (event: JournalEvent) => void = () => undefined) =>
  Journal.open({ folder, fleet: "glance", target: "ocata", clock: systemClock, onEvent });

test("journal: entries are numbered, read back, and go on in the same file until the rollout is finished", async () => {
  const folder = newFolder();
  const seen: number[] = [];
  const first = await openIn(folder, (event) => seen.push(event.seq));
  await Promise.all([
    first.append({ kind: "decision", phase: "backup", text: "a" }),
    first.append({ kind: "result", phase: "backup", text: "b", node: "n1", data: { ok: true } }),
  ]);
  await first.close();
  const second = await openIn(folder);
  assert.equal(second.rolloutId, first.rolloutId);
  await second.append({ kind: "decision", phase: "done", text: "c", data: { do: "finish" } });
  await second.close();
  const [journal] = await readJournals(folder, "glance", "ocata");
  assert.deepEqual(
    journal?.events.map((event) => `${event.seq} ${event.text}`),
    ["1 a", "2 b", "3 c"],
  );
  assert(journal && isFinished(journal));
  assert.deepEqual(seen, [1, 2]);
  const third = await openIn(folder);
  assert.notEqual(third.rolloutId, first.rolloutId);
  await third.close();
  assert.deepEqual(await readJournals(folder, "glance", "newton"), []);
});

test("journal: a line cut short by a crash is left out, and cut off before the next entry", async () => {
  const folder = newFolder();
  const first = await openIn(folder);
  await first.append({ kind: "decision", phase: "nodes", text: "whole" });
  await first.close();
  const path = join(folder, readdirSync(folder)[0] ?? "");
  appendFileSync(path, '{"seq":2,"time":"20');
  const [torn] = await readJournals(folder, "glance", "ocata");
  assert.equal(torn?.events.length, 1);
  const second = await openIn(folder);
  await second.append({ kind: "decision", phase: "nodes", text: "next" });
  await second.close();
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).seq),
    [1, 2],
  );
});

test("journal: a damaged line in the middle is named with its number", async () => {
  const folder = newFolder();
  await (await openIn(folder)).close();
  appendFileSync(join(folder, readdirSync(folder)[0] ?? ""), "what?\n");
  await assert.rejects(readJournals(folder, "glance", "ocata"), {
    code: "rollout.fleet_invalid",
    message: /line 1 is no entry/,
  });
});

test("lock: a second rollout is refused with the holder's process id, until the first one dies", async (t) => {
  const folder = newFolder();
  // Collects garbage first: a lock whose holder keeps no reference to it is held all the same.
  const script = `const { acquireFleetLock } = await import(${JSON.stringify(new URL("fleet-lock.ts", import.meta.url).href)});
    acquireFleetLock(${JSON.stringify(folder)}, "glance");
    setTimeout(() => { gc(); console.log("held"); }, 1); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--expose-gc", "--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => holder.kill("SIGKILL"));
  await once(holder.stdout, "data");
  const expected = { code: "schema.locked", message: new RegExp(`process ${holder.pid}, since`) };
  assert.throws(() => acquireFleetLock(folder, "glance"), expected);
  acquireFleetLock(folder, "another").release();
  holder.kill("SIGKILL");
  await once(holder, "exit");
  const lock = acquireFleetLock(folder, "glance");
  assert.throws(() => acquireFleetLock(folder, "glance"), { code: "schema.locked" });
  lock.release();
  lock.release();
});

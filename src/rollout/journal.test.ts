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
import { Journal } from "./journal.ts";
import { chainLine, chainStart, findBreak, hashOf } from "./journal-chain.ts";
import { journalFolder } from "./journal-disk.ts";
import type { JournalEvent } from "./journal-event.ts";
import { isFinished, readJournals } from "./journal-file.ts";
import { MemoryJournalStore } from "./testing/memory-journal-store.ts";

const root = mkdtempSync(join(tmpdir(), "perennial-journal-"));
after(() => rmSync(root, { recursive: true }));
let folders = 0;
const newFolder = () => join(root, String(folders++));
const openIn = (folder: string, onEvent: (event: JournalEvent) => void = () => undefined) =>
  openWith(folder, new MemoryJournalStore(), onEvent);
const openWith = (
  folder: string,
  store: MemoryJournalStore,
  onEvent: (event: JournalEvent) => void = () => undefined,
) =>
  Journal.open({ disk: journalFolder(folder), fleet: "glance", target: "ocata", clock: systemClock, onEvent, store });
const textsOf = (events: readonly { readonly text: string }[]) => events.map((event) => event.text);
const note = (text: string) => ({ kind: "observation", phase: "nodes", text }) as const;
const finish = { kind: "decision", phase: "done", text: "end", data: { do: "finish" } } as const;

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

test("journal: the database's copy alone is enough to go on from another folder, and the copy on disk is made whole", async () => {
  const store = new MemoryJournalStore();
  const first = await openWith(newFolder(), store);
  await first.append(note("a"));
  await first.append(note("caf\u00e9 \u{1f600}"));
  await first.close();
  const folder = newFolder();
  const second = await openWith(folder, store);
  assert.equal(second.rolloutId, first.rolloutId);
  assert.deepEqual(textsOf(second.events), ["a", "caf\u00e9 \u{1f600}"]);
  await second.append(note("c"));
  await second.close();
  const [file] = await readJournals(folder, "glance", "ocata");
  assert.deepEqual(file?.lines, store.linesOf(first.rolloutId));
  assert.equal(findBreak(first.rolloutId, file?.lines ?? []), null);
  assert(store.linesOf(first.rolloutId).every((line) => /^[\x20-\x7e]*$/.test(line)));
});

test("journal: what happened while the database was away is written there later, in order, and once", async () => {
  const store = new MemoryJournalStore();
  const folder = newFolder();
  const first = await openWith(folder, store);
  await first.append(note("a"));
  store.away = true;
  await first.append(note("b"));
  await first.append(note("c"));
  await first.close();
  assert.deepEqual(store.linesOf(first.rolloutId).length, 1);
  store.away = false;
  const second = await openWith(folder, store);
  await second.append(finish);
  await second.close();
  const events = store.linesOf(first.rolloutId).map((line) => JSON.parse(line) as JournalEvent);
  assert.deepEqual(textsOf(events), ["a", "b", "c", "end"]);
  assert.equal(findBreak(first.rolloutId, store.linesOf(first.rolloutId)), null);
});

test("journal: a rollout that ended while the database was away is over, and its end is written there by the next one", async () => {
  const store = new MemoryJournalStore();
  const folder = newFolder();
  const first = await openWith(folder, store);
  await first.append(note("a"));
  store.away = true;
  await first.append(finish);
  await first.close();
  store.away = false;
  const second = await openWith(folder, store);
  assert.notEqual(second.rolloutId, first.rolloutId);
  assert.equal(store.linesOf(first.rolloutId).length, 2);
  await second.close();
});

test("journal: entries that another run wrote meanwhile count; those of this disk alone are put aside and said to be", async () => {
  const store = new MemoryJournalStore();
  const [here, elsewhere] = [newFolder(), newFolder()];
  const first = await openWith(here, store);
  await first.append(note("a"));
  store.away = true;
  await first.append(note("only here"));
  await first.close();
  store.away = false;
  const second = await openWith(elsewhere, store);
  await second.append(note("elsewhere"));
  await second.close();
  const third = await openWith(here, store);
  await third.close();
  assert.deepEqual(textsOf(third.events).slice(0, 2), ["a", "elsewhere"]);
  assert.match(third.events.at(-1)?.text ?? "", /was put aside/);
  const aside = readdirSync(here).find((name) => name.includes(".aside-"));
  assert.match(readFileSync(join(here, aside ?? ""), "utf8"), /only here/);
});

test("journal: who has lost the lease writes nothing, neither there nor here", async () => {
  const store = new MemoryJournalStore();
  const folder = newFolder();
  const journal = await openWith(folder, store);
  await journal.append(note("a"));
  store.lost = true;
  await assert.rejects(journal.append(note("b")), { code: "rollout.lease_lost" });
  await journal.close();
  assert.equal((await readJournals(folder, "glance", "ocata"))[0]?.events.length, 1);
});

test("chain: the first entry that was changed, removed, put in or moved is named", () => {
  const id = "glance-ocata-20260101T000000Z";
  const lines: string[] = [];
  for (let seq = 1; seq <= 5; seq++) {
    const previous = seq === 1 ? chainStart(id) : hashOf(lines.at(-1) ?? "");
    lines.push(chainLine({ seq, time: "t", ...note(`entry ${seq}`) }, previous).entry);
  }
  const brokenAt = (...changed: readonly string[]) => findBreak(id, changed)?.seq ?? null;
  const [a = "", b = "", c = "", d = "", e = ""] = lines;
  assert.equal(brokenAt(...lines), null);
  assert.equal(brokenAt(a, b, c.replace("entry 3", "entry X"), d, e), 3);
  assert.equal(brokenAt(a, b, d, e), 3);
  assert.equal(brokenAt(a, c, b, d, e), 2);
  const forged = chainLine({ seq: 3, time: "t", ...note("forged") }, hashOf(b)).entry;
  assert.equal(brokenAt(a, b, forged, d, e), 4);
  assert.equal(findBreak("glance-ocata-20260101T000001Z", lines)?.seq, 1, "another rollout's entries");
  assert.equal(brokenAt(a, b, "what?"), 3);
});

test("chain: entries of a version without hashes may stand first, and the next one vouches for the last of them", () => {
  const old = ['{"seq":1,"text":"a"}', '{"seq":2,"text":"b"}'];
  const next = chainLine({ seq: 3, time: "t", ...note("c") }, hashOf(old[1] ?? "")).entry;
  assert.equal(findBreak("r", [...old, next]), null);
  assert.equal(findBreak("r", [old[0] ?? "", '{"seq":2,"text":"x"}', next])?.seq, 3);
  assert.equal(findBreak("r", [...old, next, '{"seq":4,"text":"d"}'])?.seq, 4);
});

test("chain: an entry that no column could hold is shortened, and says so", () => {
  const { entry } = chainLine({ seq: 1, time: "t", ...note("long"), data: { x: "\u00e9".repeat(20_000) } }, "p");
  assert(entry.length < 60_000);
  assert.deepEqual((JSON.parse(entry) as JournalEvent).data, { shortened: true });
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

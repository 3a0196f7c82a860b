// Delayed deletion as an operator has it: a node that keeps deleted data, and glance-scrubber, which brings an image back, or removes what is
// due, once or as a daemon.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { eventually } from "../servers/eventually.ts";
import { createImage } from "./images.ts";
import { type NodeProcess, Site } from "./node-process.ts";

const site = new Site();
const script = fileURLToPath(new URL("../../bin/glance-scrubber.js", import.meta.url));
const running: ChildProcess[] = [];
let node: NodeProcess;
let patient: string;
let eager: string;

before(async () => {
  await site.createDatabase(newestRelease.id);
  node = await site.start("keeper", { DEFAULT: { delayed_delete: true } });
  patient = site.writeConfig("patient", { DEFAULT: { scrub_time: 3_600 } });
  eager = site.writeConfig("eager", { DEFAULT: { wakeup_time: 1, scrub_pool_size: 2 } });
});
after(() => {
  for (const child of running) child.kill("SIGKILL");
});

function start(...args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  running.push(child);
  return child;
}

async function scrubber(...args: readonly string[]) {
  const child = start(...args);
  if (!child.stdout || !child.stderr) throw new Error("it speaks through pipes");
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { code: code as number | null, out, err };
}

/** An image with data, deleted. */
async function deleted(): Promise<string> {
  const id = await createImage(node);
  const headers = { "content-type": "application/octet-stream" };
  const { status } = await fetch(`${node.url}/v2/images/${id}/file`, { method: "PUT", headers, body: "some data" });
  assert.equal(status, 204);
  await remove(id);
  return id;
}

async function remove(id: string): Promise<void> {
  assert.equal((await fetch(`${node.url}/v2/images/${id}`, { method: "DELETE" })).status, 204);
  assert.equal((await fetch(`${node.url}/v2/images/${id}`)).status, 404);
}

const fileOf = (id: string) => join(site.folder, "images", id);

test("glance-scrubber: data is kept until its time, and comes back with its image", { timeout: 900_000 }, async () => {
  const id = await deleted();
  const early = await scrubber("--config-file", patient, "--json");
  assert.deepEqual([early.code, JSON.parse(early.out)], [0, { images_scrubbed: 0, data_kept: 0, images_left: 0 }]);
  assert(existsSync(fileOf(id)));
  const restored = await scrubber("--config-file", patient, "--restore", id);
  assert.deepEqual([restored.code, restored.err], [0, ""]);
  const data = await fetch(`${node.url}/v2/images/${id}/file`);
  assert.equal(await data.text(), "some data");
  const again = await scrubber("--config-file", patient, "--restore", id);
  assert.equal(again.code, 1);
  assert.match(again.err, /^glance-scrubber: .*is active; only one that is pending_delete can be restored/);
  await remove(id);
  const due = await scrubber("--config-file", eager, "--json");
  assert.deepEqual([due.code, JSON.parse(due.out)], [0, { images_scrubbed: 1, data_kept: 0, images_left: 0 }]);
  assert(!existsSync(fileOf(id)));
  assert.equal((await scrubber("--config-file", eager, "--restore", id)).code, 1);
});

test("glance-scrubber: two daemons remove everything between them, and end when told", {
  timeout: 900_000,
}, async () => {
  const ids = await Promise.all([1, 2, 3, 4, 5].map(() => deleted()));
  const daemons = [start("--config-file", eager, "--daemon"), start("--config-file", eager, "-D")];
  await eventually("all are gone", () => ids.every((id) => !existsSync(fileOf(id))));
  const later = await deleted();
  await eventually("so is a later one", () => !existsSync(fileOf(later)));
  for (const daemon of daemons) {
    const ended = once(daemon, "exit");
    daemon.kill("SIGTERM");
    assert.deepEqual(await ended, [0, null]);
  }
});

test("glance-scrubber: a wrong command line, and a restore at a release that knows none", {
  timeout: 900_000,
}, async () => {
  assert.equal((await scrubber("--daemon", "--restore", "x")).code, 2);
  assert.equal((await scrubber("--nonsense")).code, 2);
  assert.match((await scrubber("--help")).out, /Examples:/);
  const old = site.writeConfig("old", { perennial: { release: "queens" } });
  const refused = await scrubber("--config-file", old, "--restore", "x");
  assert.equal(refused.code, 78);
  assert.match(refused.err, /queens restores no images/);
});

// Hand-overs of a unit of a real systemd, the package's own: what it goes by is the process that serves, and one that dies is replaced, also where
// systemd cannot see that it died.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { finish } from "../../demo/processes.ts";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { eventually } from "../servers/eventually.ts";
import { freePort } from "../servers/free-port.ts";
import { type Systemd, startSystemd, whyNoSystemd } from "../servers/systemd.ts";
import { nodeUnit } from "../servers/systemd-host.ts";
import { createImage, openUpload, statusOf, uploadsPublished } from "./images.ts";
import { Site } from "./node-process.ts";
import { commandOf, workersOf } from "./worker-processes.ts";

const skip = whyNoSystemd() ?? false;
const site = new Site();
const long = { msMax: 90_000 };
let systemd: Systemd;

before(async () => {
  if (skip) return;
  await site.createDatabase(newestRelease.id);
  systemd = await startSystemd();
});
after(() => systemd?.stop());

async function systemctl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await finish([...systemd.systemctl, ...args]);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

/** A started unit with this name, and an upload under way in it. */
async function startUnit(name: string) {
  const port = await freePort();
  const own = { node_name: name, pid_file: join(site.folder, `${name}.pid`), upload_lease_seconds: 20 };
  const config = site.writeConfig(name, { DEFAULT: { bind_port: port }, perennial: own });
  const unit = `${name}.service`;
  await systemd.unit(unit, nodeUnit(config));
  await systemctl("start", unit);
  const node = { url: `http://127.0.0.1:${port}` };
  const beginUpload = async () => {
    const image = await createImage(node);
    const upload = openUpload(node, image, 2);
    upload.write(1);
    await uploadsPublished(site, name, 1);
    return { image, upload };
  };
  const { image, upload } = await beginUpload();
  const show = (property: string) => systemctl("show", unit, `--property=${property}`, "--value");
  const mainPid = async () => Number(await show("MainPID"));
  return {
    unit,
    image,
    upload,
    beginUpload,
    show,
    mainPid,
    serves: async () => (await fetch(`${node.url}/healthcheck`)).status === 200,
    /** Returns the process that serves then, alone: until the one before has left the socket, both take connections. */
    async handOver() {
      const first = await mainPid();
      await systemctl("kill", "--kill-whom=main", "-s", "USR2", unit);
      const said = [...systemd.journalctl, `_PID=${first}`, "--output=cat", "--no-pager"];
      const left = async () => (await finish(said)).stdout.includes("draining: finishing");
      await eventually("the process before has left the socket", left, long);
      const now = await mainPid();
      assert.notEqual(now, first);
      return now;
    },
  };
}

/** With its workers, as where the kernel ends them for want of memory. */
function crash(pid: number): void {
  for (const one of [...workersOf({ pid }), pid]) process.kill(one, "SIGKILL");
}

test("hand-over under systemd: a new process that dies is replaced while the old one finishes its upload, as often as it dies", {
  skip,
}, async () => {
  const { unit, image, upload, show, mainPid, serves, handOver } = await startUnit("revived");
  const invocation = await show("InvocationID");
  const seen = new Set([await mainPid()]);
  let serving = await handOver();
  for (let round = 0; round < 2; round++) {
    seen.add(serving);
    crash(serving);
    serving = await eventually(
      "another process serves",
      async () => {
        const now = await mainPid();
        return !seen.has(now) && (await serves()) && now;
      },
      long,
    );
  }
  upload.write(1);
  assert.equal(await upload.status, 204);
  assert.equal(await statusOf(site, image), "active");
  const [first = 0] = seen;
  await eventually("the old process has left", () => !commandOf(first).startsWith("glance-api"), long);
  assert.deepEqual([await mainPid(), await show("ActiveState"), await serves()], [serving, "active", true]);
  assert.deepEqual([await show("InvocationID"), await show("NRestarts")], [invocation, "0"]);
  await systemctl("stop", unit);
  assert.equal(await show("Result"), "success");
});

test("hand-over under systemd: a stop lets old and new process finish their uploads", { skip }, async () => {
  const { unit, image, upload, beginUpload, show, handOver } = await startUnit("both");
  await handOver();
  const other = await beginUpload();
  await systemctl("stop", "--no-block", unit);
  await eventually("it is told", async () => (await show("ActiveState")) === "deactivating", long);
  for (const one of [upload, other.upload]) {
    one.write(1);
    assert.equal(await one.status, 204);
  }
  await eventually("it is gone", async () => (await show("ActiveState")) === "inactive", long);
  for (const id of [image, other.image]) assert.equal(await statusOf(site, id), "active");
  assert.equal(await show("Result"), "success");
});

test("hand-over under systemd: where the dead process had handed over in its turn, the one that serves stays the unit's main one", {
  skip,
}, async () => {
  const { unit, image, upload, show, mainPid, serves, handOver } = await startUnit("chain");
  const first = await mainPid();
  const second = await handOver();
  const third = await handOver();
  crash(second);
  upload.write(1);
  assert.equal(await upload.status, 204);
  await eventually("the first process has left", () => !commandOf(first).startsWith("glance-api"), long);
  assert.deepEqual([await mainPid(), await serves(), await show("ActiveState")], [third, true, "active"]);
  assert.deepEqual([await statusOf(site, image), await show("NRestarts")], ["active", "0"]);
  await systemctl("stop", unit);
});

test("hand-over under systemd: stopped while nobody serves, the unit finishes its upload and stays stopped", {
  skip,
}, async () => {
  const { unit, image, upload, show, mainPid, serves, handOver } = await startUnit("stopped");
  const first = await mainPid();
  crash(await handOver());
  await eventually("the old process speaks for the unit again", async () => (await mainPid()) === first, long);
  await systemctl("stop", "--no-block", unit);
  await eventually("it is told", async () => (await show("ActiveState")) === "deactivating", long);
  upload.write(1);
  assert.equal(await upload.status, 204);
  await eventually("it is gone", async () => (await show("ActiveState")) === "inactive", long);
  assert.deepEqual([await statusOf(site, image), await show("Result")], ["active", "success"]);
  await assert.rejects(serves());
});

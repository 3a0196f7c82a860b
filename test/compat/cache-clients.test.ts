// The glance client's cache commands, and the reference's own glance-cache-manage, against a node of the newest release.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { adminToken } from "../../demo/traffic/actor.ts";
import { Site } from "../node/node-process.ts";
import { eventually } from "../servers/eventually.ts";
import { prepareClients } from "./clients.ts";

const newest = "2026.1";
const run = promisify(execFile);
/** The program itself is in a package that would bring a server along. */
const referenceTool = "import sys; from glance.cmd.cache_manage import main; sys.exit(main())";

test("compat: the glance client's and the reference's commands on the image cache do their work", {
  timeout: 900_000,
}, async () => {
  const site = new Site();
  await site.createDatabase(newest);
  const node = await site.start("one", {
    DEFAULT: {
      image_cache_dir: join(site.folder, "cache"),
      worker_self_reference_url: "http://one.example:9292",
      cache_prefetcher_interval: 0,
    },
    paste_deploy: { flavor: "fakeauth+cachemanagement" },
  });
  const clients = await prepareClients(`http://127.0.0.1:${node.port}`, site.folder, [], () => adminToken);
  const glance = (...args: readonly string[]) => clients.glance("operations", ...args);
  const reference = async (...args: readonly string[]) => {
    const at = ["--host=127.0.0.1", `--port=${node.port}`, `--os-auth-token=${adminToken}`, "--force"];
    return (await run("/usr/bin/python3", ["-c", referenceTool, ...at, ...args], { timeout: 900_000 })).stdout;
  };
  try {
    const data = join(site.folder, "data");
    await writeFile(data, randomBytes(300_000));
    const created = await glance(
      "image-create",
      "--name",
      "i",
      "--disk-format",
      "raw",
      "--container-format",
      "bare",
      "--file",
      data,
    );
    const id = created.match(/^\| id +\| (\S+)/m)?.[1] ?? assert.fail(created);
    await glance("cache-queue", id);
    await eventually("it is fetched", async () => /\| cached +\|/.test(await glance("cache-list")));
    assert.match(await glance("cache-list"), new RegExp(`${id} .*cached`));
    assert.match(await reference("list-cached"), new RegExp(`${id} .* 300000`));
    await glance("cache-delete", id);
    assert.doesNotMatch(await glance("cache-list"), new RegExp(id));
    await reference("queue-image", id);
    assert.match(await reference("list-queued"), new RegExp(id));
    assert.match(await glance("cache-list"), new RegExp(`${id} .*queued`));
    await glance("cache-clear", "--target", "queue");
    assert.doesNotMatch(await reference("list-queued"), new RegExp(id));
    await reference("queue-image", id);
    await reference("delete-queued-image", id);
    await glance("image-download", "--file", join(site.folder, "saved"), id);
    await eventually("the download has filled it", async () => (await reference("list-cached")).includes(id));
    await reference("delete-all-cached-images");
    assert.doesNotMatch(await reference("list-cached"), new RegExp(id));
    await glance("cache-clear");
  } finally {
    clients.stop();
  }
});

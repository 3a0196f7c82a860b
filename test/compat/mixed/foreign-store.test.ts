// A real Glance node that has a store which ours has not, on one database: images there are shown, read and deleted by way of our node, which
// passes on what needs their data.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { binary, finish } from "../../../demo/processes.ts";
import { StopStack } from "../../../src/core/lifecycle.ts";
import { NodeProcess } from "../../node/node-process.ts";
import { type GlanceSections, makeGlanceSite, setUpGlance, startGlance } from "../../servers/glance.ts";

const stops = new StopStack();
after(() => stops.stop());

const ann = { "x-auth-token": "ann:red:member" };
const data = randomBytes(3_000_000);

/** Glance has `vault`; our node knows that the name is of a kind it has not. */
async function startFleet() {
  const site = makeGlanceSite();
  stops.defer(() => site.stop());
  const [fast, vault] = [join(site.folder, "fast"), join(site.folder, "vault")];
  for (const place of [fast, vault]) mkdirSync(place);
  const common: GlanceSections = {
    glance_store: { default_backend: "fast" },
    os_glance_staging_store: { filesystem_store_datadir: site.staging },
    fast: { filesystem_store_datadir: fast },
  };
  const setUp = (name: string, backends: string, more: GlanceSections) => {
    const database = `sqlite:///${join(site.folder, "glance.sqlite")}`;
    const sections = { ...common, DEFAULT: { enabled_backends: backends }, ...more };
    return setUpGlance(site, { name, database, flavor: "fakeauth", sections });
  };
  const theirs = await setUp("theirs", "fast:file,vault:file", { vault: { filesystem_store_datadir: vault } });
  const ours = await setUp("ours", "fast:file,vault:rbd", {
    perennial: { release: "zed", foreign_store_proxy: theirs.url },
  });
  const made = await finish([...binary("glance-manage"), "--config-file", ours.config, "db", "sync", "--to", "zed"]);
  assert.equal(made.code, 0, made.stderr);
  const node = new NodeProcess(ours.config, ours.port);
  stops.defer(async () => {
    node.signal("SIGKILL");
    await node.exited;
  });
  const [glance] = await Promise.all([startGlance(theirs), node.said(/"msg":"serving"/)]);
  return { theirs: glance, ours: ours.url, vault };
}

async function uploaded(url: string, store: string): Promise<string> {
  const body = JSON.stringify({ name: "far", disk_format: "raw", container_format: "bare" });
  const headers = { ...ann, "content-type": "application/json" };
  const created = await fetch(`${url}/v2/images`, { method: "POST", headers, body });
  const { id } = (await created.json()) as { id: string };
  const put = await fetch(`${url}/v2/images/${id}/file`, {
    method: "PUT",
    headers: { ...ann, "content-type": "application/octet-stream", "x-image-meta-store": store },
    body: data,
  });
  assert.equal(put.status, 204, await put.text());
  return id;
}

test("mixed fleet: what Glance keeps in a store that our node has not is shown, read and deleted by way of our node", async () => {
  const { theirs, ours, vault } = await startFleet();
  const [id, kept] = [await uploaded(theirs.url, "vault"), await uploaded(theirs.url, "vault")];
  const at = (path = "", init: RequestInit = {}) =>
    fetch(`${ours}/v2/images/${id}${path}`, { ...init, headers: { ...ann, ...init.headers } });
  const shown = (await (await at()).json()) as { status: string; stores: string };
  assert.deepEqual([shown.status, shown.stores], ["active", "vault"]);
  const whole = await at("/file");
  assert.equal(whole.status, 200);
  assert(data.equals(Buffer.from(await whole.arrayBuffer())));
  const part = await at("/file", { headers: { range: "bytes=1000000-1000099" } });
  assert.equal(part.status, 206);
  assert(data.subarray(1_000_000, 1_000_100).equals(Buffer.from(await part.arrayBuffer())));
  // A store that both have needs nobody's help, whoever wrote there.
  const near = await uploaded(theirs.url, "fast");
  const refused = await fetch(`${ours}/v2/images/${id}/file`, { headers: { "x-auth-token": "bob:blue:member" } });
  assert.equal(refused.status, 404);
  assert.equal((await at("", { method: "DELETE" })).status, 204);
  assert.equal(existsSync(join(vault, id)), false, "the data has gone with the rows");
  assert.equal((await fetch(`${theirs.url}/v2/images/${id}`, { headers: ann })).status, 404);
  assert.equal((await at("", { method: "DELETE" })).status, 404);

  await theirs.stop();
  const away = await fetch(`${ours}/v2/images/${kept}/file`, { headers: ann });
  assert.equal(away.status, 503);
  const undeleted = await fetch(`${ours}/v2/images/${kept}`, { method: "DELETE", headers: ann });
  assert.equal(undeleted.status, 503);
  assert.equal((await fetch(`${ours}/v2/images/${kept}`, { headers: ann })).status, 200);
  assert(existsSync(join(vault, kept)), "nothing of it has changed");
  const own = await fetch(`${ours}/v2/images/${near}/file`, { headers: ann });
  assert(data.equals(Buffer.from(await own.arrayBuffer())));
});

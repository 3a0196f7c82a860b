// A real Glance node and one of ours, as Zed, on one database and one store of files; each may have stores of its own besides.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { binary, finish } from "../../../demo/processes.ts";
import type { StopStack } from "../../../src/core/lifecycle.ts";
import { NodeProcess } from "../../node/node-process.ts";
import {
  type GlanceNode,
  type GlanceSections,
  type GlanceSite,
  makeGlanceSite,
  setUpGlance,
  startGlance,
} from "../../servers/glance.ts";
import { startMariadb } from "../../servers/mariadb.ts";

/** Whose token the images are made with. */
export const ann = { "x-auth-token": "ann:red:member" };

type OwnStores = { readonly backends: string; readonly sections: GlanceSections };

/** `fast` is the store that both have. */
export async function startSmallFleet(
  stops: StopStack,
  choose: (site: GlanceSite) => {
    readonly defaultBackend: string;
    readonly theirs: OwnStores;
    readonly ours: (theirsUrl: string) => OwnStores;
  },
): Promise<{ readonly theirs: GlanceNode; readonly ours: string }> {
  const site = makeGlanceSite();
  stops.defer(() => site.stop());
  // SQLite refuses Glance's transactions that write after they have read, where another process has written in between.
  const mariadb = await startMariadb();
  stops.defer(() => mariadb.stop());
  const database = await mariadb.createDatabase();
  const fast = join(site.folder, "fast");
  mkdirSync(fast);
  const { defaultBackend, theirs, ours } = choose(site);
  const common: GlanceSections = {
    glance_store: { default_backend: defaultBackend },
    os_glance_staging_store: { filesystem_store_datadir: site.staging },
    fast: { filesystem_store_datadir: fast },
  };
  const setUp = (name: string, { backends, sections: own }: OwnStores) => {
    const sections = { ...common, DEFAULT: { enabled_backends: backends }, ...own };
    return setUpGlance(site, { name, database, flavor: "fakeauth", sections });
  };
  const theirNode = await setUp("theirs", theirs);
  const ourNode = await setUp("ours", ours(theirNode.url));
  const made = await finish([...binary("glance-manage"), "--config-file", ourNode.config, "db", "sync", "--to", "zed"]);
  assert.equal(made.code, 0, made.stderr);
  const node = new NodeProcess(ourNode.config, ourNode.port);
  stops.defer(async () => {
    node.signal("SIGKILL");
    await node.exited;
  });
  const [glance] = await Promise.all([startGlance(theirNode), node.said(/"msg":"serving"/)]);
  return { theirs: glance, ours: ourNode.url };
}

/** An image made and filled by way of one node; gives its id. */
export async function uploaded(url: string, data: Uint8Array<ArrayBuffer>, store: string): Promise<string> {
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

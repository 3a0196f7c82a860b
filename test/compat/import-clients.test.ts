// People import images with the glance and openstack commands against a node: staged, fetched, watched by its task.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { before, test } from "node:test";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { Site } from "../node/node-process.ts";
import { eventually } from "../servers/eventually.ts";
import { prepareClients } from "./clients.ts";

const token = "user:red:member,reader,admin";
const site = new Site();
before(() => site.createDatabase(newestRelease.id));

test("compat: the clients' own ways of importing images work", { timeout: 900_000 }, async () => {
  const data = Buffer.alloc(700_000, "perennial ");
  const server = createServer((_request, response) => response.end(data)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const node = await site.start("clients", {
    DEFAULT: { node_staging_uri: `file://${site.folder}/staging` },
    paste_deploy: { flavor: "fakeauth" },
    import_filtering_opts: { allowed_hosts: "127.0.0.1", allowed_ports: "" },
  });
  const clients = await prepareClients(node.url, site.folder, ["red"], () => token);
  const { glance, openstack } = clients;
  const file = join(site.folder, "data.raw");
  writeFileSync(file, data);
  const { port } = server.address() as AddressInfo;
  const uri = `http://127.0.0.1:${port}/image`;
  const formats = ["--disk-format", "raw", "--container-format", "bare"];
  /** As a person would wait for it. */
  const active = async (name: string) => {
    const find = ["image", "list", "--name", name, "-f", "json"];
    await eventually(`${name} is active`, async () => (await openstack("red", ...find)).includes('"active"'), {
      msMax: 120_000,
    });
  };
  /** Not by a client: without a terminal they take their standard input for the data. */
  const queued = async (name: string) => {
    const body = JSON.stringify({ name, disk_format: "raw", container_format: "bare" });
    const headers = { "x-auth-token": token };
    const response = await fetch(`${node.url}/v2/images`, { method: "POST", headers, body });
    return ((await response.json()) as { id: string }).id;
  };
  try {
    const staged = await queued("staged");
    await glance("red", "image-stage", "--file", file, staged);
    await glance("red", "image-import", "--import-method", "glance-direct", staged);
    await active("staged");
    const fetched = await queued("fetched");
    await glance("red", "image-import", "--import-method", "web-download", "--uri", uri, fetched);
    await active("fetched");
    await openstack("red", "image", "create", "--import", "--file", file, ...formats, "by-openstack");
    await active("by-openstack");
    assert.match(await glance("red", "task-list"), /api_image_import/);
    const copied = join(site.folder, "copy.raw");
    await openstack("red", "image", "save", "--file", copied, "by-openstack");
    assert(readFileSync(copied).equals(data));
  } finally {
    clients.stop();
    server.close();
    node.signal("SIGTERM");
    await node.exited;
  }
});

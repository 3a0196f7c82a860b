// What `npm pack` makes is what people install: it must run without this checkout, compiled, by its three commands.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { nodeConfig } from "../../demo/fleet-files.ts";
import { rawContent } from "../../demo/images.ts";
import { finish } from "../../demo/processes.ts";
import { adminToken } from "../../demo/traffic/actor.ts";
import { eventually } from "../servers/eventually.ts";
import { freePort } from "../servers/free-port.ts";

let folder = "";
const command = (name: string, ...args: string[]) => [
  process.execPath,
  join(folder, "node_modules/perennial/bin", `${name}.js`),
  ...args,
];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "perennial-package-"));
  const packed = await finish(["npm", "pack", "--json", "--pack-destination", folder], { msMax: 300_000 });
  assert.equal(packed.code, 0, packed.stderr);
  const tarball = packed.stdout.match(/"filename":\s*"([^"]+)"/)?.[1] ?? assert.fail(packed.stdout);
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "somebody", private: true }));
  const install = ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", join(folder, tarball)];
  const installed = await finish(install, { cwd: folder, msMax: 300_000 });
  assert.equal(installed.code, 0, installed.stderr);
});
after(() => rm(folder, { recursive: true, force: true }));

test("package: the installed commands tell their version and their help", async () => {
  const caches = ["manage", "pruner", "cleaner", "prefetcher"].map((name) => `glance-cache-${name}`);
  for (const name of ["glance-api", "glance-manage", "glance-rollout", "glance-status", ...caches]) {
    const version = await finish(command(name, "--version"), { cwd: folder });
    assert.equal(version.code, 0, version.stderr);
    assert.match(version.stdout, /\d+\.\d+\.\d+/);
    const help = await finish(command(name, "--help"), { cwd: folder });
    assert.equal(help.code, 0, help.stderr);
    assert.match(help.stdout, new RegExp(name));
  }
});

test("package: an installed node serves an image from SQLite and leaves in good order", async () => {
  const port = await freePort();
  const node = { name: "n1", address: `127.0.0.1:${port}`, folder: join(folder, "n1") };
  await mkdir(node.folder);
  const config = join(node.folder, "glance-api.conf");
  const connection = `sqlite:///${join(folder, "glance.sqlite")}`;
  await writeFile(config, nodeConfig({ node, connection, imageFolder: join(folder, "images"), release: "ocata" }));
  const synced = await finish(command("glance-manage", "--config-file", config, "db", "sync"), { cwd: folder });
  assert.equal(synced.code, 0, synced.stderr);

  const [program = "", ...args] = command("glance-api", "--config-file", config);
  const server = spawn(program, args, { cwd: folder, stdio: ["ignore", "inherit", "inherit"] });
  const ended = once(server, "exit");
  try {
    const origin = `http://${node.address}`;
    await eventually("the node is healthy", async () => (await fetch(`${origin}/healthcheck`)).ok);
    const ask = (method: string, path: string, type?: string, body?: string | Uint8Array<ArrayBuffer>) =>
      fetch(`${origin}${path}`, {
        method,
        headers: { "X-Auth-Token": adminToken, ...(type === undefined ? {} : { "Content-Type": type }) },
        ...(body === undefined ? {} : { body }),
      });
    const draft = JSON.stringify({ disk_format: "raw", container_format: "bare" });
    const { id } = (await (await ask("POST", "/v2/images", "application/json", draft)).json()) as { id: string };
    const data = rawContent(1, "package", 300_000).read(0, 300_000);
    const stored = await ask("PUT", `/v2/images/${id}/file`, "application/octet-stream", new Uint8Array(data));
    assert.equal(stored.status, 204);
    const got = await ask("GET", `/v2/images/${id}/file`);
    assert(data.equals(Buffer.from(await got.arrayBuffer())));
    assert.equal((await ask("DELETE", `/v2/images/${id}`)).status, 204);
  } finally {
    server.kill("SIGTERM");
  }
  assert.deepEqual(await ended, [0, null]);
});

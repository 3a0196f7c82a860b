// What people install must run without this checkout: the tarball of `npm pack`, and the Debian package that is built from the same tarball.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { nodeConfig } from "../../demo/fleet-files.ts";
import { finish } from "../../demo/processes.ts";
import { freePort } from "../servers/free-port.ts";
import { debianTests } from "./debian.ts";
import { explainThemselves, type Installed, serveAnImage, startServing } from "./serving.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
let folder = "";
let tarball = "";
let deb = "";
const installed: Installed = (name, ...args) => [
  process.execPath,
  join(folder, "node_modules/perennial/bin", `${name}.js`),
  ...args,
];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "perennial-package-"));
  const packed = await finish(["npm", "pack", "--json", "--pack-destination", folder], { msMax: 900_000 });
  assert.equal(packed.code, 0, packed.stderr);
  tarball = join(folder, packed.stdout.match(/"filename":\s*"([^"]+)"/)?.[1] ?? assert.fail(packed.stdout));
  deb = await buildDeb("deb");
});
after(() => rm(folder, { recursive: true, force: true }));

test("package: the tarball's commands tell their version and their help", async () => {
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "somebody", private: true }));
  const install = ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", tarball];
  const ended = await finish(install, { cwd: folder, msMax: 900_000 });
  assert.equal(ended.code, 0, ended.stderr);
  await explainThemselves(installed, folder);
});

test("package: the tarball's node serves an image from SQLite and leaves in good order", async () => {
  const node = { name: "n1", address: `127.0.0.1:${await freePort()}`, folder: join(folder, "n1") };
  await mkdir(node.folder);
  const config = join(node.folder, "glance-api.conf");
  const connection = `sqlite:///${join(folder, "glance.sqlite")}`;
  await writeFile(config, nodeConfig({ node, connection, imageFolder: join(folder, "images"), release: "ocata" }));
  const synced = await finish(installed("glance-manage", "--config-file", config, "db", "sync"), {
    cwd: folder,
    msMax: 600_000,
  });
  assert.equal(synced.code, 0, synced.stderr);
  const serving = await startServing(installed("glance-api", "--config-file", config), {
    address: node.address,
    cwd: folder,
  });
  try {
    await serveAnImage(serving.origin);
  } finally {
    await serving.stop();
  }
});

/** Into a folder of its own; the path is what the script prints. */
async function buildDeb(name: string): Promise<string> {
  const script = join(checkout, "scripts/package-deb.ts");
  const command = ["env", "SOURCE_DATE_EPOCH=1750000000", process.execPath, script, "--tarball", tarball];
  const built = await finish([...command, "--out", join(folder, name)], { msMax: 900_000 });
  assert.equal(built.code, 0, built.stderr);
  return built.stdout.trim();
}

test("package: the Debian package is the same, byte for byte, when it is built again", async () => {
  const [first, second] = await Promise.all([readFile(deb), readFile(await buildDeb("again"))]);
  assert(first.equals(second));
});

debianTests(async () => ({ folder, checkout, deb }));

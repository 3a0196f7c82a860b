// Beside the real glance-manage of Debian's package: each tool recognises what the other made, finishes what the other began, and
// both end with the same schema.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { binary } from "../../demo/processes.ts";
import { openDatabase } from "../../src/db/connect.ts";
import { shapeOf } from "../../src/db/schema/testing/shape.ts";
import { type MariadbServer, startMariadb } from "../servers/mariadb.ts";

const run = promisify(execFile);
const reference = await run("glance-manage", ["--version"]).then(
  () => true,
  () => false,
);
const skip = reference ? false : "this machine has no glance-manage (Debian package glance-common)";
const ours = binary("glance-manage");
let server: MariadbServer;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "perennial-reference-"));
  server = await startMariadb();
});
after(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A database of its own, with one command each for the two tools; both return what they print on stdout. */
async function makeDatabase() {
  const url = await server.createDatabase();
  const config = join(folder, `${new URL(url).pathname.slice(1)}.conf`);
  const connection = `${url.replace("mysql://", "mysql+pymysql://")}?charset=utf8`;
  await writeFile(config, `[DEFAULT]\nlog_file = ${folder}/log\n[database]\nconnection = ${connection}\n`);
  // Loopback calls of Python programs would leave through a proxy.
  const env = { ...process.env, http_proxy: "", https_proxy: "" };
  const call = async (program: string, args: readonly string[]) =>
    (await run(program, [...args], { env })).stdout.trim();
  const [node, script] = ours;
  return {
    url,
    theirs: (...args: readonly string[]) => call("glance-manage", ["--config-file", config, "db", ...args]),
    ours: (...args: readonly string[]) => call(node, [script, "--config-file", config, "db", ...args]),
    async shape() {
      const db = await openDatabase(url);
      try {
        return await shapeOf(db);
      } finally {
        await db.close();
      }
    },
  };
}

test("reference: its Newton database goes our way to its Ocata schema", { skip }, async () => {
  const mine = await makeDatabase();
  const its = await makeDatabase();
  await mine.theirs("upgrade", "mitaka02");
  assert.equal(await mine.ours("version"), "mitaka02");
  assert.match(
    await mine.ours("expand"),
    /^Upgraded database to: ocata_expand01, current revision\(s\): ocata_expand01$/,
  );
  assert.equal(await mine.theirs("version"), "ocata_expand01");
  assert.equal(await mine.ours("migrate"), "Database migration is up to date. No migration needed.");
  assert.match(await mine.ours("contract"), /^Upgraded database to: ocata_contract01/);
  assert.equal(await mine.theirs("version"), "ocata_contract01");
  await its.theirs("upgrade", "ocata_contract01");
  assert.deepEqual(await mine.shape(), await its.shape());
});

test("reference: it contracts what we expanded, and we see the end of it", { skip }, async () => {
  const mine = await makeDatabase();
  const fresh = await makeDatabase();
  await mine.ours("sync", "--to", "newton");
  await mine.ours("expand");
  await mine.theirs("upgrade", "ocata_contract01");
  assert.equal(await mine.ours("check"), "Database is up to date. No upgrades needed.");
  assert.equal(await mine.ours("expand"), "Database is up to date. No migrations needed.");
  await fresh.ours("sync");
  assert.deepEqual(await mine.shape(), await fresh.shape());
});

test("reference: what it expanded, with its own triggers gone, we complete and contract", { skip }, async () => {
  const mine = await makeDatabase();
  const fresh = await makeDatabase();
  await mine.theirs("upgrade", "ocata_expand01");
  await mine.ours("expand");
  await mine.ours("migrate");
  await mine.ours("contract");
  await fresh.ours("sync");
  assert.deepEqual(await mine.shape(), await fresh.shape());
});

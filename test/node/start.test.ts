// A node that must not start says why in one line, ends with the documented code and leaves everything as it was.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { before, test } from "node:test";
import { exitCodes } from "../../src/cli/exit-codes.ts";
import { openDatabase } from "../../src/db/connect.ts";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { freePort } from "../servers/free-port.ts";
import { NodeProcess, type Sections, Site } from "./node-process.ts";

const newest = new Site();
const newton = new Site();
before(() => Promise.all([newest.createDatabase(newestRelease.id), newton.createDatabase("newton")]));

async function refusal(site: Site, changes: Sections, expected: { code: number; says: RegExp }): Promise<void> {
  const port = await freePort();
  const config = site.writeConfig("refused", { ...changes, DEFAULT: { bind_port: port, ...changes.DEFAULT } });
  const { code, stderr } = await NodeProcess.refused(config);
  assert.equal(stderr.length, 1, `one line: ${stderr.join("\n")}`);
  assert.match(stderr[0] ?? "", expected.says);
  assert.equal(code, expected.code);
}

test("start: a database at Newton refuses an Ocata node, naming the command that is due", () =>
  refusal(newton, { perennial: { release: "ocata" } }, { code: exitCodes.startRefused, says: /db expand/ }));

test("start: an expanded database whose rows wait for migrate refuses an Ocata node", async () => {
  const site = new Site();
  await site.createDatabase("newton");
  const db = await openDatabase(site.connection);
  await db.run(
    "INSERT INTO images (id, name, status, is_public, created_at, updated_at, deleted, min_disk, min_ram, protected) VALUES ('i', 'n', 'queued', 1, '2026-01-01 00:00:00', '2026-01-01 00:00:00', 0, 0, 0, 0)",
  );
  await db.close();
  await site.manage("db", "expand", "--to", "ocata");
  await refusal(site, { perennial: { release: "ocata" } }, { code: exitCodes.startRefused, says: /db migrate/ });
});

test("start: a contracted database refuses a Newton node", () =>
  refusal(
    newest,
    { perennial: { release: "newton" } },
    { code: exitCodes.startRefused, says: /contracted to 2024\.1/ },
  ));

test("start: an empty database refuses the node and stays empty", async () => {
  const site = new Site();
  const file = site.connection.replace("sqlite:///", "");
  writeFileSync(file, "");
  await refusal(site, {}, { code: exitCodes.startRefused, says: /db sync/ });
  const db = await openDatabase(site.connection);
  assert.deepEqual(await db.query("SELECT name FROM sqlite_master"), []);
  await db.close();
});

test("start: a database that cannot be reached ends the node after the tries that were configured", async () => {
  const port = await freePort();
  const connection = `mysql://glance:secret@127.0.0.1:${port}/glance`;
  await refusal(
    newest,
    { database: { connection, max_retries: 0 } },
    { code: exitCodes.databaseUnavailable, says: /^glance-api: (?!.*secret).*127\.0\.0\.1/ },
  );
});

test("start: a wrong configuration is refused with file, section and option", async () => {
  const wrong: readonly [Sections, RegExp][] = [
    [{ DEFAULT: { bind_port: "http" } }, /refused\.conf, line \d+: \[DEFAULT\] bind_port: "http" is not allowed/],
    [{ perennial: { relaese: "ocata" } }, /\[perennial\] relaese: is not an option/],
    [{ perennial: { release: "mitaka" } }, /\[perennial\] release: "mitaka".*newton, ocata/],
    [{ database: { connection: "oracle://h/g" } }, /\[?database\]? ?connection.*mysql:\/\//],
    [{ paste_deploy: { flavor: "keystoen" } }, /flavor is "keystoen".*keystone/],
    [{ DEFAULT: { bind_host: "0.0.0.0" }, paste_deploy: { flavor: "fakeauth" } }, /fakeauth.*127\.0\.0\.1/],
    [{ DEFAULT: { log_file: "/proc/nowhere/api.log" } }, /log_file/],
  ];
  for (const [changes, says] of wrong) await refusal(newest, changes, { code: exitCodes.badConfig, says });
  const { code, stderr } = await NodeProcess.refused(join(newest.folder, "missing.conf"));
  assert.equal(code, exitCodes.badConfig);
  assert.match(stderr.join("\n"), /^glance-api: cannot read the configuration file .*missing\.conf[^\n]*$/);
});

test("start: a port that another process listens on is refused at once", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  t.after(() => other.close());
  const address = other.address();
  assert(address !== null && typeof address === "object");
  await refusal(
    newest,
    { DEFAULT: { bind_port: address.port } },
    { code: exitCodes.cannotListen, says: /already in use.*bind_port/ },
  );
});

test("start: an address of another machine is refused", () =>
  refusal(
    newest,
    { DEFAULT: { bind_host: "192.0.2.1" } },
    { code: exitCodes.cannotListen, says: /192\.0\.2\.1.*bind_host/ },
  ));

test("start: a second node of the same name is refused, naming the first, which goes on", async () => {
  const first = await newest.start("n1");
  await refusal(
    newest,
    { perennial: { node_name: "n1" } },
    { code: exitCodes.startRefused, says: new RegExp(`n1 .*127\\.0\\.0\\.1:${first.port}`) },
  );
  assert.equal((await first.health()).status, 200);
  first.signal("SIGTERM");
  assert.deepEqual(await first.exited, { code: 0, signal: null });
});

test("start: the pid file holds the supervisor's id while it runs; a stale one is no obstacle", async () => {
  const pidFile = join(newest.folder, "run", "n.pid");
  const node = await newest.start("pid", { perennial: { pid_file: pidFile } });
  assert.equal(readFileSync(pidFile, "utf8"), `${node.pid}\n`);
  node.signal("SIGKILL");
  await node.exited;
  assert(existsSync(pidFile));
  const again = await newest.start("pid", { perennial: { pid_file: pidFile } }, { port: node.port });
  assert.equal(readFileSync(pidFile, "utf8"), `${again.pid}\n`);
  again.signal("SIGTERM");
  await again.exited;
  assert(!existsSync(pidFile));
});

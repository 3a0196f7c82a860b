// The promise the other tests rest on: private servers work, and never outlive their test.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { test } from "node:test";
import pg from "pg";
import { eventually } from "./eventually.ts";
import { startPostgresql } from "./postgresql.ts";

test("a private PostgreSQL makes databases, and stop removes all of it", async () => {
  const server = await startPostgresql({ shared: false });
  try {
    const client = new pg.Client(await server.createDatabase({ name: "first" }));
    await client.connect();
    await client.query("create table t (id int)");
    const { rows } = await client.query(
      "select pg_encoding_to_char(encoding) as e from pg_database where datname = 'first'",
    );
    assert.deepEqual(rows, [{ e: "UTF8" }]);
    await client.end();
    const copy = new pg.Client(await server.createDatabase({ template: "first" }));
    await copy.connect();
    assert.equal((await copy.query("select id from t")).rowCount, 0);
    await copy.end();
  } finally {
    await server.stop();
  }
  await server.stop();
  assert(!existsSync(server.socketFolder));
});

test("a private PostgreSQL dies with the process that started it, even one killed with -9", async () => {
  const script = `const { startPostgresql } = await import(${JSON.stringify(new URL("postgresql.ts", import.meta.url).href)});
    const server = await startPostgresql({ shared: false }); console.log(server.socketFolder); setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [printed] = (await once(owner.stdout, "data")) as [Buffer];
  const folder = printed.toString().trim();
  assert(existsSync(folder));
  owner.kill("SIGKILL");
  await eventually("the folder is gone", () => !existsSync(folder));
});

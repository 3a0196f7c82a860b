// The promise the other tests rest on: private servers work, and never outlive their test.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { createConnection } from "mysql2/promise";
import { eventually } from "./eventually.ts";
import { startMariadb } from "./mariadb.ts";

test("a private MariaDB makes databases, and stop removes all of it", async () => {
  const server = await startMariadb({ shared: false });
  try {
    const connection = await createConnection(await server.createDatabase());
    const [rows] = await connection.query("select @@character_set_database as charset, @@socket as socket");
    assert.deepEqual(rows, [{ charset: "utf8mb3", socket: server.socket }]);
    await connection.end();
  } finally {
    await server.stop();
  }
  await server.stop();
  assert(!existsSync(dirname(server.socket)));
});

test("a private MariaDB dies with the process that started it, even one killed with -9", async () => {
  const script = `const { startMariadb } = await import(${JSON.stringify(new URL("mariadb.ts", import.meta.url).href)});
    const server = await startMariadb({ shared: false }); console.log(server.socket); setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [socket] = (await once(owner.stdout, "data")) as [Buffer];
  const folder = dirname(socket.toString().trim());
  assert(existsSync(folder));
  owner.kill("SIGKILL");
  await eventually("the folder is gone", () => !existsSync(folder));
});

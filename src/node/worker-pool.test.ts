import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { BoundSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isServiceError } from "../core/errors.ts";
import { silentLogger } from "../core/logger.ts";
import { WorkerPool } from "./worker-pool.ts";

const folder = mkdtempSync(join(tmpdir(), "perennial-pool-"));
const socket = new BoundSocket({ host: "127.0.0.1", port: 0 });
after(() => {
  socket.close();
  rmSync(folder, { recursive: true });
});

/** A pool whose workers run `program`, which speaks the protocol by hand. */
function poolOf(program: string, count = 1): WorkerPool {
  const module = join(folder, `${Math.random()}.mjs`);
  writeFileSync(module, program);
  return new WorkerPool({
    module,
    count,
    socketFd: socket.fd(),
    start: () => ({ do: "start", config: [], nodeName: "n", draining: false, unfit: null }),
    wantMetrics: () => undefined,
    logger: silentLogger,
  });
}

const obedient = `
  process.on("message", (message) => {
    if (message.do === "start") process.send({ did: "ready" });
    if (message.do === "close") process.exit(0);
  });
`;

test("pool: workers that die before they were ever ready end the start, after three tries", async () => {
  await assert.rejects(
    poolOf("process.exit(9)", 2).start(),
    /a worker ended 3 times before it was ready \(exit code 9\)/,
  );
});

test("pool: what a worker names as wrong ends the start at once, under its code", async () => {
  const failing = `
    process.send({ did: "fail", code: "node.port_in_use", message: "taken" }, () => process.exit(1));
    process.on("message", () => {});
  `;
  const pool = poolOf(failing, 2);
  await assert.rejects(pool.start(), (error) => isServiceError(error, "node.port_in_use") && error.message === "taken");
  assert.equal(pool.size, 0, "no worker is left behind");
  assert.equal(pool.replaced, 0, "nobody tried again");
});

test("pool: a worker that dies is replaced, until the pool leaves", async () => {
  const pool = poolOf(`
    process.on("message", (message) => {
      if (message.do === "start") process.send({ did: "ready" });
      if (message.do === "reopen-log") process.kill(process.pid, "SIGKILL");
      if (message.do === "close") process.exit(0);
    });
  `);
  await pool.start();
  pool.tell({ do: "reopen-log" });
  while (pool.replaced < 1) await new Promise((resolve) => setImmediate(resolve));
  await pool.leave("close");
  await pool.ended();
  assert.equal(pool.size, 0);
});

test("pool: one that is told to leave while it starts says so instead of waiting for ever", async () => {
  const pool = poolOf(`process.on("message", (message) => message.do === "close" && process.exit(0))`);
  const starting = pool.start();
  await pool.leave("close");
  await assert.rejects(starting, /leaving/);
});

test("pool: workers that do not answer hold no report up for long", async () => {
  const pool = poolOf(obedient);
  await pool.start();
  assert.deepEqual(await pool.reports(), [null]);
  await pool.leave("close");
  await pool.ended();
});

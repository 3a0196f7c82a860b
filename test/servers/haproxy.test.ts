// HAProxy for tests: it balances, obeys the Runtime API, and a drained server gets no further request.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { freePorts } from "./free-port.ts";
import { startHaproxy } from "./haproxy.ts";

test("HAProxy balances over its servers, and sends a drained one nothing", async () => {
  const [first = 0, second = 0] = await freePorts(2);
  const backends = [first, second].map((port) =>
    createServer((_request, response) => response.end(String(port))).listen(port, "127.0.0.1"),
  );
  await Promise.all(backends.map((backend) => once(backend, "listening")));
  const haproxy = await startHaproxy({
    servers: [
      { name: "n1", address: `127.0.0.1:${first}` },
      { name: "n2", address: `127.0.0.1:${second}` },
    ],
  });
  try {
    const answers = async () =>
      new Set(await Promise.all(Array.from({ length: 8 }, async () => (await fetch(haproxy.url)).text())));
    assert.deepEqual(await answers(), new Set([String(first), String(second)]));
    await haproxy.command("set server glance/n1 state drain");
    assert.deepEqual(await answers(), new Set([String(second)]));
    assert.match(await haproxy.command("show servers state"), /glance 1 n1/);
  } finally {
    await haproxy.stop();
    for (const backend of backends) {
      backend.closeAllConnections();
      backend.close();
    }
  }
});

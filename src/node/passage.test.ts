// A process that has handed over passes on what still comes over its connections, and tells when it is done with the database.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { silentLogger } from "../core/logger.ts";
import { Passage } from "./passage.ts";

async function listen(t: TestContext, handle: RequestListener): Promise<{ server: Server; port: number }> {
  const server = createServer(handle);
  server.on("checkContinue", (asked, answer) => server.emit("request", asked, answer));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** An old process with a passage, and a new one that says what it was asked. */
async function pair(t: TestContext, old: RequestListener) {
  const next = await listen(t, async (asked, answer) => {
    if (asked.headers.expect) answer.writeContinue();
    const body = await text(asked);
    answer.writeHead(201, {
      "x-method": asked.method ?? "",
      "x-path": asked.url ?? "",
      "x-type": String(asked.headers["x-type"]),
    });
    answer.end(`new:${body}`);
  });
  const before = await listen(t, old);
  const passage = new Passage(before.server, silentLogger);
  return { passage, port: before.port, nextPort: next.port, next: next.server };
}

test("passage: until then the own service answers; from then on the other process does, whatever is asked of it", async (t) => {
  const { passage, port, nextPort } = await pair(t, (_asked, answer) => void answer.end("old"));
  const url = `http://127.0.0.1:${port}/v2/images?limit=1`;
  assert.equal(await (await fetch(url)).text(), "old");
  assert.equal(passage.passesOn, false);
  passage.passOn({ host: "127.0.0.1", port: nextPort });
  const answer = await fetch(url, { method: "PATCH", body: "x".repeat(300_000), headers: { "x-type": "t" } });
  assert.equal(answer.status, 201);
  assert.equal(await answer.text(), `new:${"x".repeat(300_000)}`);
  assert.deepEqual(
    ["x-method", "x-path", "x-type"].map((name) => answer.headers.get(name)),
    ["PATCH", "/v2/images?limit=1", "t"],
  );
  assert.equal(passage.busy, false, "what is passed on is not ours");
});

test("passage: a client that waits for 100 Continue gets it from the other process", async (t) => {
  const { passage, port, nextPort } = await pair(t, (_asked, answer) => void answer.end("old"));
  passage.passOn({ host: "127.0.0.1", port: nextPort });
  const put = request({ port, host: "127.0.0.1", method: "PUT", path: "/", headers: { expect: "100-continue" } });
  put.flushHeaders();
  await once(put, "continue");
  put.end("body");
  const [answer] = await once(put, "response");
  assert.equal(await text(answer), "new:body");
});

test("passage: a request of before is waited for until its answer is being sent, a write until it is through", async (t) => {
  const answers: ServerResponse[] = [];
  const { passage, port, nextPort } = await pair(t, (_asked, answer) => void answers.push(answer));
  const ask = async (method: string) => {
    const asked = request({ port, host: "127.0.0.1", method, path: "/" }).end();
    const before = answers.length;
    while (answers.length === before) await new Promise((resolve) => setImmediate(resolve));
    return { asked, answer: answers.at(-1) as ServerResponse };
  };
  const [get, put] = [await ask("GET"), await ask("PUT")];
  passage.passOn({ host: "127.0.0.1", port: nextPort });
  assert.equal(passage.busy, true);
  for (const { asked, answer } of [get, put]) {
    answer.write("begun");
    await once(asked, "response");
  }
  assert.equal(passage.busy, true, "the PUT is not through");
  const closed = once(put.answer, "close");
  put.answer.end();
  await closed;
  assert.equal(passage.busy, false, "the GET only sends");
});

test("passage: where the other process is gone, the client is told to come again", async (t) => {
  const { passage, port, nextPort, next } = await pair(t, (_asked, answer) => void answer.end("old"));
  next.close();
  passage.passOn({ host: "127.0.0.1", port: nextPort });
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, "1"]);
});

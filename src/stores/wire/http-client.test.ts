import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isServiceError } from "../../core/errors.ts";
import { HttpClient, textOf } from "./http-client.ts";

async function serve(handler: (request: IncomingMessage, response: ServerResponse, attempt: number) => void) {
  let attempts = 0;
  const server = createServer((request, response) => handler(request, response, ++attempts)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = new HttpClient({ silentMsMax: 400 });
  return {
    client,
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x`),
    attempts: () => attempts,
    async [Symbol.asyncDispose]() {
      client.close();
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}

const unavailable = (error: unknown) => isServiceError(error, "stores.unavailable");

test("http client: what is at hand is sent again where the server or the way fails, and nothing else is", async () => {
  const bodies: string[] = [];
  await using web = await serve(async (request, response, attempt) => {
    if (attempt === 1) {
      request.socket.destroy();
      return;
    }
    bodies.push((await buffer(request)).toString());
    response.writeHead(attempt === 2 ? 503 : 200, { "x-attempt": attempt }).end("done");
  });
  const body = [Buffer.from("all "), Buffer.from("of it")];
  const reply = await web.client.request({ method: "PUT", url: web.url, body });
  assert.deepEqual([reply.status, await textOf(reply), bodies], [200, "done", ["all of it", "all of it"]]);
  assert.equal(web.attempts(), 3);
  await using refusing = await serve((_request, response) => response.writeHead(404).end());
  assert.equal((await refusing.client.request({ method: "GET", url: refusing.url })).status, 404);
  assert.equal(refusing.attempts(), 1);
});

test("http client: it gives up after some attempts, on silence too, and at once when told to stop", async () => {
  await using web = await serve(() => undefined);
  await assert.rejects(web.client.request({ method: "GET", url: web.url }), unavailable);
  assert.equal(web.attempts(), 4);
  const stop = new AbortController();
  const asked = web.client.request({ method: "GET", url: web.url, signal: stop.signal });
  const reason = new Error("the node stops");
  stop.abort(reason);
  await assert.rejects(asked, (error) => error === reason);
});

test("http client: a stream that is refused early is not sent to its end, whether or not the connection is kept", async () => {
  await using web = await serve((_request, response) => response.writeHead(413).end());
  async function* endless() {
    for (;;) yield Buffer.alloc(65_536);
  }
  assert.equal((await web.client.send({ method: "PUT", url: web.url }, endless())).status, 413);
});

test("http client: a stream is sent once, its own failure comes through, and an early refusal ends it", async () => {
  await using web = await serve(async (request, response, attempt) => {
    if (attempt === 2) {
      response.writeHead(413, { connection: "close" }).end();
      return;
    }
    const body = await buffer(request).catch(() => undefined);
    if (body) response.end(String(body.length));
  });
  async function* chunks(count: number, failure?: Error) {
    for (let sent = 0; sent < count; sent++) yield Buffer.alloc(65_536);
    if (failure) throw failure;
  }
  const sent = await web.client.send({ method: "PUT", url: web.url }, chunks(50));
  assert.equal(await textOf(sent), String(50 * 65_536));
  async function* endless() {
    for (;;) {
      yield Buffer.alloc(65_536);
      await delay(1);
    }
  }
  assert.equal((await web.client.send({ method: "PUT", url: web.url }, endless())).status, 413);
  const failure = new Error("the client went away");
  await assert.rejects(
    web.client.send({ method: "PUT", url: web.url }, chunks(3, failure)),
    (error) => error === failure,
  );
});

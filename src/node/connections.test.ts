import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { Connections } from "./connections.ts";

async function serve(
  t: TestContext,
  handle: RequestListener,
  nowMs?: () => number,
): Promise<{ connections: Connections; port: number; server: Server }> {
  const server = createServer(handle);
  const connections = new Connections(server, nowMs);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    connections.destroyAll();
    server.close();
  });
  return { connections, port: (server.address() as AddressInfo).port, server };
}

async function open(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

async function ask(socket: Socket): Promise<string> {
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const [chunk] = await once(socket, "data");
  return String(chunk);
}

test("connections: after the listener closed, a request on an old connection is still answered, and new ones are refused", async (t) => {
  const { connections, port } = await serve(t, (_request, response) => response.end("ok"));
  const socket = await open(t, port);
  assert.match(await ask(socket), /200 OK/);
  await connections.closeListener();
  assert.match(await ask(socket), /200 OK/);
  const late = connect(port, "127.0.0.1");
  const [error] = await once(late, "error");
  assert.equal(error.code, "ECONNREFUSED");
});

test("connections: one that carries a request, even half a header, is not ended as silent", async (t) => {
  const waiting = Promise.withResolvers<void>();
  let heldMs = 0;
  const answer: RequestListener = async (_request, response) => {
    response.writeHead(200);
    response.write("begun");
    await waiting.promise;
    response.end("done");
  };
  const { connections, port, server } = await serve(t, answer, () => heldMs);
  const busy = await open(t, port);
  assert.match(await ask(busy), /begun/);
  const accepted = once(server, "connection");
  const half = await open(t, port);
  const [halfHere] = (await accepted) as [Socket];
  half.write("GET / HT");
  while (halfHere.bytesRead === 0) await new Promise((resolve) => setImmediate(resolve));
  // Long after both were opened; the bytes of the half header are seen just now.
  heldMs += 100_000;
  connections.endSilent(60_000);
  half.write("TP/1.1\r\nHost: x\r\n\r\n");
  const [chunk] = await once(half, "data");
  assert.match(String(chunk), /200 OK/);
  waiting.resolve();
  await Promise.all([once(busy, "data"), once(half, "data")]);
});

test("connections: a silent one is ended without a reset, and empty() tells when all are gone", async (t) => {
  const { connections, port } = await serve(t, (_request, response) => response.end("ok"));
  const socket = await open(t, port);
  await ask(socket);
  await connections.closeListener();
  const gone = connections.empty();
  connections.endSilent(0);
  await once(socket, "end");
  await gone;
  assert.equal(connections.open, 0);
  assert.equal(connections.requestsInFlight, 0);
});

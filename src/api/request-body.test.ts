// Reading bodies within bounds of size and time.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { isServiceError } from "../core/errors.ts";
import { readJson } from "./request-body.ts";

test("bodies: JSON that does not arrive in time is given up", async () => {
  const outcome = Promise.withResolvers<unknown>();
  const server = createServer((request, response) => {
    readJson(request, response, 20).then(outcome.resolve, outcome.resolve);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{"a"');
  assert(isServiceError(await outcome.promise, "api.body_too_slow"));
  socket.destroy();
  server.close();
});

test("bodies: a client that leaves before its JSON is complete is reported as gone", async () => {
  const outcome = Promise.withResolvers<unknown>();
  const server = createServer((request, response) => {
    readJson(request, response).then(outcome.resolve, outcome.resolve);
    socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{"a"');
  assert(isServiceError(await outcome.promise, "api.client_gone"));
  server.close();
});

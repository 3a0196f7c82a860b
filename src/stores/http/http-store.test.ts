import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { type ErrorCode, isServiceError } from "../../core/errors.ts";
import { openHttpStore } from "./http-store.ts";

const signal = new AbortController().signal;
const withCode = (code: ErrorCode) => (error: unknown) => isServiceError(error, code);
const data = randomBytes(3_000_000);

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A web server that answers ranges; `paths`: what is otherwise. */
async function serve(paths: Readonly<Record<string, Handler>> = {}) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.range ?? ""}`.trim());
    const own = paths[request.url ?? ""];
    if (own) own(request, response);
    else if (request.url !== "/image") response.writeHead(404).end();
    else answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const store = openHttpStore({ nearHosts: ["127.0.0.1"], silentMsMax: 500 });
  return {
    store,
    asked,
    port,
    url: (path: string) => `http://127.0.0.1:${port}${path}`,
    async [Symbol.asyncDispose]() {
      await store.close();
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  const part = start === undefined ? data : data.subarray(Number(start), end ? Number(end) + 1 : undefined);
  response.writeHead(start === undefined ? 200 : 206, { "content-length": part.length, etag: '"one"' });
  response.end(request.method === "HEAD" ? undefined : part);
}

test("http store: reads all, ranges and the size, and writes nothing", async () => {
  await using web = await serve();
  const { store } = web;
  const url = web.url("/image");
  assert((await buffer(await store.open(url, { signal }))).equals(data));
  for (const [start, end] of [
    [0, 0],
    [5, 2_000_000],
    [2_999_999, 2_999_999],
  ] as const) {
    const part = await buffer(await store.open(url, { signal, range: { start, end } }));
    assert(part.equals(data.subarray(start, end + 1)), `${start}-${end}`);
  }
  assert.equal(await store.size(url), data.length);
  await assert.rejects(store.put("id", Readable.from([data]), { signal }), withCode("stores.read_only"));
  await assert.rejects(store.remove(url), withCode("stores.read_only"));
});

test("http store: what is not there is not found, and what fails is unavailable", async () => {
  await using web = await serve({
    "/forbidden": (_request, response) => response.writeHead(403).end(),
    "/silent": () => undefined,
    "/circle": (_request, response) => response.writeHead(302, { location: "/circle" }).end(),
    "/ftp": (_request, response) => response.writeHead(302, { location: "ftp://127.0.0.1/x" }).end(),
  });
  const { store } = web;
  for (const url of [web.url("/nothing"), "file:///etc/passwd", "http://", "nonsense", ""]) {
    await assert.rejects(store.open(url, { signal }), withCode("stores.blob_not_found"), url);
    await assert.rejects(store.size(url), withCode("stores.blob_not_found"), url);
  }
  for (const path of ["/forbidden", "/circle", "/ftp"])
    await assert.rejects(store.open(web.url(path), { signal }), withCode("stores.unavailable"), path);
  await assert.rejects(store.size(web.url("/silent")), withCode("stores.unavailable"));
});

test("http store: redirects are followed, and a server without ranges is read past what comes before", async () => {
  await using web = await serve({
    "/moved": (_request, response) => response.writeHead(301, { location: "/plain" }).end(),
    "/plain": (_request, response) => response.writeHead(200, { "content-length": data.length }).end(data),
  });
  const range = { start: 1_000_000, end: 2_000_000 };
  const part = await buffer(await web.store.open(web.url("/moved"), { signal, range }));
  assert(part.equals(data.subarray(1_000_000, 2_000_001)));
});

test("http store: a connection that breaks is taken up where it broke; data that changed meanwhile, or stays short, is an error", async () => {
  let breaks = 4;
  const broken: Handler = (request, response) => {
    if (breaks-- <= 0) return answer(request, response);
    const start = Number(/^bytes=(\d+)/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, { "content-length": data.length - start, etag: '"one"' });
    response.write(data.subarray(start, start + 700_000), () => response.destroy());
  };
  await using web = await serve({
    "/broken": broken,
    "/changing": (request, response) => {
      response.writeHead(200, { "content-length": data.length, etag: request.headers.range ? '"two"' : '"one"' });
      response.write(data.subarray(0, 700_000), () => response.destroy());
    },
    "/short": (request, response) => {
      const start = Number(/^bytes=(\d+)/.exec(request.headers.range ?? "")?.[1] ?? 0);
      response.writeHead(206, { "content-length": Math.max(0, 1_000 - start) }).end(data.subarray(start, 1_000));
    },
  });
  assert((await buffer(await web.store.open(web.url("/broken"), { signal }))).equals(data));
  assert.equal(web.asked.filter((line) => line.includes("bytes=")).length, 4, "each break came after more data");
  await assert.rejects(
    async () => buffer(await web.store.open(web.url("/changing"), { signal })),
    withCode("stores.unavailable"),
  );
  const range = { start: 0, end: 1_999 };
  await assert.rejects(
    async () => buffer(await web.store.open(web.url("/short"), { signal, range })),
    withCode("stores.unavailable"),
  );
});

test("http store: no spelling, name or redirect leads into this machine or its link", async () => {
  await using web = await serve({
    "/inside": (_request, response) => response.writeHead(302, { location: `http://[::1]:${web.port}/image` }).end(),
  });
  const { port } = web;
  for (const host of [
    "localhost",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0.0.0.0",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "169.254.169.254",
    "[fe80::1]",
  ])
    await assert.rejects(
      openHttpStore({ nearHosts: [] }).open(`http://${host}:${port}/image`, { signal }),
      withCode("stores.blob_not_found"),
      host,
    );
  await assert.rejects(web.store.open(web.url("/inside"), { signal }), withCode("stores.blob_not_found"));
  assert.deepEqual(web.asked, ["GET /inside"]);
  await using byName = openStoreFor(["LocalHost"]);
  assert.equal(await byName.store.size(`http://localhost:${port}/image`), data.length);
});

function openStoreFor(nearHosts: readonly string[]) {
  const store = openHttpStore({ nearHosts });
  return { store, [Symbol.asyncDispose]: () => store.close() };
}

// Image data over real sockets: streamed, ranged, refused in the middle, left in the middle.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect, type Socket } from "node:net";
import { Readable } from "node:stream";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Services } from "./route.ts";
import { parseAnswer, type RawAnswer, sendRaw, startApi, type TestApi } from "./testing/api-server.ts";

const id = "11111111-1111-4111-8111-111111111111";
const octets = "application/octet-stream";

async function apiWithImage(replace?: (services: Services) => Partial<Services>): Promise<TestApi> {
  const api = await startApi(replace ? { replace } : {});
  const body = JSON.stringify({ id, disk_format: "raw", container_format: "bare" });
  assert.equal((await fetch(`${api.url}/v2/images`, { method: "POST", body })).status, 201);
  return api;
}

const putHead = (fields: string) => `PUT /v2/images/${id}/file HTTP/1.1\r\nHost: h\r\n${fields}\r\n`;
const upload = (api: TestApi, data: string, type: string | null = octets): Promise<RawAnswer> => {
  const contentType = type === null ? "" : `Content-Type: ${type}\r\n`;
  return sendRaw(
    api.port,
    `${putHead(`Connection: close\r\nContent-Length: ${data.length}\r\n${contentType}`)}${data}`,
  );
};
const download = (api: TestApi, headers: Record<string, string> = {}) =>
  fetch(`${api.url}/v2/images/${id}/file`, { headers });

/** Reads until the text satisfies, for at most five seconds. */
async function readUntil(socket: Socket, enough: (text: string) => boolean): Promise<string> {
  let text = "";
  const limit = AbortSignal.timeout(5_000);
  while (!enough(text)) {
    const [chunk] = await once(socket, "data", { signal: limit });
    text += chunk.toString("latin1");
  }
  return text;
}

/** For states no event tells of; fails after five seconds. */
async function eventually(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if (holds()) return;
    await delay(10);
  }
  assert.fail(`not within five seconds: ${holds}`);
}

test("data: what is uploaded is downloaded, with its size and its checksum in hex", async () => {
  await using api = await apiWithImage();
  assert.equal((await download(api)).status, 204);
  const answer = await upload(api, "0123456789");
  assert.equal(answer.status, 204);
  const response = await download(api);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), octets);
  assert.equal(response.headers.get("content-length"), "10");
  assert.equal(response.headers.get("content-md5"), createHash("md5").update("0123456789").digest("hex"));
  assert.equal(response.headers.get("accept-ranges"), null);
  assert.equal(await response.text(), "0123456789");
});

test("data: an empty body, chunked bodies and type parameters are taken, other types refused", async () => {
  for (const [fields, body, bytes] of [
    ["Content-Length: 0\r\n", "", 0],
    ["", "", 0],
    ["Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 5],
  ] as const) {
    await using api = await apiWithImage();
    const head = putHead(`Connection: close\r\nContent-Type: ${octets}; x=y\r\n${fields}`);
    assert.equal((await sendRaw(api.port, head + body)).status, 204, fields);
    assert.equal(api.fixture.database.live(id)?.sizeBytes, bytes);
  }
  await using api = await apiWithImage();
  for (const type of [null, "", "application/json", "application/octet-streams"])
    assert.equal((await upload(api, "abc", type)).status, 415, String(type));
  assert.equal(api.fixture.database.live(id)?.status, "queued");
});

test("data: from 2025.2 on a client may name the size in X-OpenStack-Image-Size, and is held to it; before, nobody reads it", async () => {
  const chunked = "Transfer-Encoding: chunked\r\n";
  const five = "5\r\nabcde\r\n0\r\n\r\n";
  for (const [release, fields, body, status] of [
    ["2025.2", `X-OpenStack-Image-Size: 5\r\n${chunked}`, five, 204],
    ["2026.1", `X-OpenStack-Image-Size: 5\r\n${chunked}`, five, 204],
    // Who does not know it yet.
    ["2025.2", `X-OpenStack-Image-Size: 0\r\n${chunked}`, five, 204],
    ["2025.2", `X-OpenStack-Image-Size: 6\r\n${chunked}`, five, 400],
    ["2025.2", `X-OpenStack-Image-Size: 4\r\n${chunked}`, five, 400],
    ["2025.2", "X-OpenStack-Image-Size: 6\r\nContent-Length: 5\r\n", "abcde", 400],
    ["2025.2", "X-OpenStack-Image-Size: 5\r\n", "", 400],
    ["2025.2", `X-OpenStack-Image-Size: 10000001\r\n${chunked}`, five, 413],
    ...["five", "-5", "5.0", "0x5", "", "9007199254740993"].map(
      (text) => ["2025.2", `X-OpenStack-Image-Size: ${text}\r\n${chunked}`, five, 400] as const,
    ),
    ["2025.1", `X-OpenStack-Image-Size: 6\r\n${chunked}`, five, 204],
    ["newton", `X-OpenStack-Image-Size: five\r\n${chunked}`, five, 204],
  ] as const)
    for (const path of release === "newton" ? ["file"] : ["file", "stage"]) {
      await using api = await startApi({ release });
      const create = JSON.stringify({ id, disk_format: "iso", container_format: "ovf" });
      assert.equal((await fetch(`${api.url}/v2/images`, { method: "POST", body: create })).status, 201);
      const head = `PUT /v2/images/${id}/${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: ${octets}\r\n${fields}\r\n`;
      const what = `${release} ${path} ${fields}`;
      assert.equal((await sendRaw(api.port, head + body)).status, status, what);
      const taken = path === "file" ? "active" : "uploading";
      assert.equal(api.fixture.database.live(id)?.status, status === 204 ? taken : "queued", what);
    }
});

test("data: ranges by Range, and by Content-Range as clients of old asked", async () => {
  await using api = await apiWithImage();
  await upload(api, "0123456789");
  for (const [headers, status, text, range] of [
    [{ range: "bytes=0-3" }, 206, "0123", "bytes 0-3/10"],
    [{ range: "bytes=7-" }, 206, "789", "bytes 7-9/10"],
    [{ range: "bytes=-3" }, 206, "789", "bytes 7-9/10"],
    [{ range: "bytes=-20" }, 206, "0123456789", "bytes 0-9/10"],
    [{ range: "bytes=5-100" }, 206, "56789", "bytes 5-9/10"],
    [{ "content-range": "bytes 2-4/10" }, 206, "234", "bytes 2-4/10"],
    [{ range: "bytes=0-0", "content-range": "bytes 2-4/10" }, 206, "0", "bytes 0-0/10"],
    [{ range: "bytes=10-" }, 416, null, null],
    [{ range: "bytes=5-3" }, 416, null, null],
    [{ range: "bytes=-" }, 416, null, null],
    [{ range: "items=0-3" }, 416, null, null],
    [{ "content-range": "bytes */10" }, 416, null, null],
    [{ range: "bytes=0-1,3-4" }, 400, null, null],
  ] as const) {
    const response = await download(api, headers);
    const what = JSON.stringify(headers);
    assert.equal(response.status, status, what);
    const body = await response.text();
    assert.equal(response.headers.get("content-range"), range, what);
    if (text === null) continue;
    assert.equal(body, text, what);
    assert.equal(response.headers.get("content-length"), String(text.length), what);
    assert.equal(response.headers.get("content-md5"), createHash("md5").update("0123456789").digest("hex"));
  }
});

test("data: a client that leaves in mid-upload leaves a queued image", async () => {
  await using api = await apiWithImage();
  const socket = connect(api.port, "127.0.0.1");
  socket.write(`${putHead(`Content-Type: ${octets}\r\nContent-Length: 1000000\r\n`)}${"x".repeat(1000)}`);
  await eventually(() => api.fixture.database.live(id)?.status === "saving");
  socket.destroy();
  await eventually(() => api.fixture.database.live(id)?.status === "queued");
  assert.equal(api.fixture.store.keys.length, 0);
});

test("data: a chunk that is none ends the upload with 400 and a queued image", async () => {
  await using api = await apiWithImage();
  const head = putHead(`Content-Type: ${octets}\r\nTransfer-Encoding: chunked\r\n`);
  const answer = await sendRaw(api.port, `${head}3\r\nabc\r\nzz\r\n`);
  assert.equal(answer.status, 400);
  await eventually(() => api.fixture.database.live(id)?.status === "queued");
});

test("data: a refused upload gets its answer although the client is still sending", async () => {
  await using api = await apiWithImage();
  await upload(api, "done");
  // 409, 415 and 404, each with more data than any socket buffer holds.
  for (const [path, type, status] of [
    [id, octets, 409],
    [id, "text/plain", 415],
    ["nope", octets, 404],
  ] as const) {
    const sizeBytes = 32 * 2 ** 20;
    const sent = httpRequest(`${api.url}/v2/images/${path}/file`, {
      method: "PUT",
      headers: { "content-type": type, "content-length": sizeBytes },
    });
    const answered = once(sent, "response");
    // Rejects `answered` where it comes before the answer; afterwards it is the end of the test.
    sent.on("error", () => undefined);
    sent.end(Buffer.alloc(sizeBytes));
    const [response] = await answered;
    assert.equal(response.statusCode, status);
    response.resume();
    await once(response, "end");
  }
});

test("data: the answer to a refused upload arrives before the body ends, and the connection then closes", async () => {
  await using api = await apiWithImage();
  await upload(api, "done");
  const socket = connect(api.port, "127.0.0.1");
  socket.write(`${putHead(`Content-Type: ${octets}\r\nTransfer-Encoding: chunked\r\n`)}3\r\nabc\r\n`);
  const text = await readUntil(socket, (all) => all.includes("\r\n\r\n"));
  assert.equal(parseAnswer(text).status, 409);
  assert.equal(parseAnswer(text).headers.get("connection"), "close");
  const closed = once(socket, "close");
  socket.write("2\r\nde\r\n0\r\n\r\n");
  await closed;
});

test("data: a small refused upload leaves the connection in use", async () => {
  await using api = await apiWithImage();
  await upload(api, "done");
  const refusedThenShown =
    `${putHead(`Content-Type: ${octets}\r\nContent-Length: 3\r\n`)}abc` +
    `GET /v2/images/${id} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`;
  const answer = await sendRaw(api.port, refusedThenShown);
  assert.equal(answer.status, 409);
  assert.match(answer.body, /HTTP\/1\.1 200 OK/);
});

test("data: Expect: 100-continue is answered when the data is wanted, and not when the upload is refused", async () => {
  await using api = await apiWithImage();
  const head = putHead(`Content-Type: ${octets}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n`);
  const socket = connect(api.port, "127.0.0.1");
  socket.write(head);
  assert.match(await readUntil(socket, (text) => text.includes("\r\n\r\n")), /^HTTP\/1\.1 100 Continue\r\n/);
  socket.write("abc");
  assert.match(await readUntil(socket, (text) => text.includes("\r\n\r\n")), /^HTTP\/1\.1 204 /);
  socket.destroy();
  const again = connect(api.port, "127.0.0.1");
  again.write(head);
  const refused = parseAnswer(await readUntil(again, (text) => text.includes("\r\n\r\n")));
  assert.equal(refused.status, 409);
  // Whether the body comes nevertheless is unknown, so the connection cannot go on.
  assert.equal(refused.headers.get("connection"), "close");
  again.destroy();
});

test("data: a store that fails in the middle of a download cuts the connection rather than end the answer early", async () => {
  await using api = await apiWithImage(({ data }) => ({
    data: { ...data, download: async (...given) => ({ ...(await data.download(...given)), sizeBytes: 1_000_000 }) },
  }));
  await upload(api, "0123456789");
  const response = await download(api);
  assert.equal(response.status, 200);
  await assert.rejects(response.arrayBuffer());
});

test("data: a client that leaves in mid-download ends the reading of the data", async () => {
  const source = new Readable({
    read() {
      this.push(Buffer.alloc(65_536));
    },
  });
  await using api = await apiWithImage(({ data }) => ({
    data: {
      ...data,
      download: async () => ({ sizeBytes: 2 ** 40, checksum: null, range: null, stream: source }),
    },
  }));
  const socket = connect(api.port, "127.0.0.1");
  socket.write(`GET /v2/images/${id}/file HTTP/1.1\r\nHost: h\r\n\r\n`);
  await readUntil(socket, (text) => text.length > 100_000);
  const closed = new Promise((resolve) => source.once("close", resolve));
  socket.destroy();
  await closed;
});

test("data: an upload that proves too large in the middle is told so, and the image is queued", async () => {
  await using api = await apiWithImage();
  const chunk = "x".repeat(2 ** 20);
  const chunks = `${chunk.length.toString(16)}\r\n${chunk}\r\n`.repeat(20);
  const head = putHead(`Connection: close\r\nContent-Type: ${octets}\r\nTransfer-Encoding: chunked\r\n`);
  assert.equal((await sendRaw(api.port, `${head}${chunks}0\r\n\r\n`)).status, 413);
  assert.equal(api.fixture.database.live(id)?.status, "queued");
  assert.equal(api.fixture.store.keys.length, 0);
});

test("data: what is not of the claimed format is answered with 415 while the client still sends, and the image is queued", async () => {
  await using api = await startApi({ release: "2026.1" });
  const body = JSON.stringify({ id, disk_format: "qcow2", container_format: "bare" });
  assert.equal((await fetch(`${api.url}/v2/images`, { method: "POST", body })).status, 201);
  const socket = connect(api.port, "127.0.0.1");
  socket.write(`${putHead(`Content-Type: ${octets}\r\nContent-Length: 9000000\r\n`)}${"x".repeat(100_000)}`);
  const answer = parseAnswer(await readUntil(socket, (text) => text.includes("\r\n\r\n")));
  assert.equal(answer.status, 415);
  socket.destroy();
  assert.equal(api.fixture.database.live(id)?.status, "queued");
  assert.equal(api.fixture.store.keys.length, 0);
});

test("data: no timeout of a request's length cuts an upload, and headers still have to come in time", async () => {
  await using api = await apiWithImage();
  assert.equal(api.server.requestTimeout, 0);
  assert(api.server.headersTimeout > 0);
});

// The judge is judged: whatever goes wrong on the other side is counted as failed, once, and nothing is asked twice.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { ContentCheck, contentStream, rawContent, readContent } from "../images.ts";
import { HttpClient } from "./http-client.ts";
import { Recorder } from "./recorder.ts";

async function against(answer: RequestListener, work: (client: HttpClient) => Promise<unknown>) {
  let asked = 0;
  const server = createServer((request, response) => {
    asked++;
    answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const recorder = new Recorder();
  const client = new HttpClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, recorder);
  try {
    await work(client);
  } finally {
    client.close();
    server.closeAllConnections();
    server.close();
  }
  return { recorder, asked };
}

const show = { kind: "show", method: "GET", path: "/", expect: [200] };

const wrongs: readonly [string, RequestListener][] = [
  ["a status nobody expects", (_request, response) => response.writeHead(500).end("oops")],
  ["a connection closed without an answer", (request) => request.socket.destroy()],
  [
    "a body shorter than announced",
    (_request, response) => {
      response.writeHead(200, { "Content-Length": 10 }).write("12345", () => response.socket?.destroy());
    },
  ],
  [
    "a chunked body cut off",
    (_request, response) => {
      response.writeHead(200).write("12345", () => response.socket?.destroy());
    },
  ],
];
for (const [what, answer] of wrongs)
  test(`traffic: ${what} is one failed request, and is not asked again`, async () => {
    const { recorder, asked } = await against(answer, (client) => client.call(show));
    assert.deepEqual([recorder.requests, recorder.failed, asked], [1, 1, 1]);
  });

test("traffic: an idle connection that the server closes under a request is a failure, as for any plain client", async () => {
  const { recorder, asked } = await against(
    (request, response) => (request.url === "/second" ? request.socket.destroy() : response.end("ok")),
    async (client) => {
      assert(await client.call(show));
      assert.equal(await client.call({ ...show, path: "/second" }), undefined);
    },
  );
  assert.deepEqual([recorder.requests, recorder.failed, asked], [2, 1, 2]);
});

test("traffic: a download with one wrong byte fails, one that ends early is cut", async () => {
  const content = rawContent(1, "judge", 300_000);
  const whole = readContent(content);
  const broken = Buffer.from(whole);
  broken.writeUInt8(broken.readUInt8(200_000) ^ 1, 200_000);
  const download = async (client: HttpClient, path: string) => {
    const check = new ContentCheck(content);
    const onChunk = (chunk: Buffer) => check.chunk(chunk);
    return client.call({ ...show, kind: "download", path, onChunk, check: () => check.verdict() });
  };
  const { recorder } = await against(
    (request, response) => {
      response.writeHead(200, { "Content-Length": whole.length });
      if (request.url === "/cut") response.write(whole.subarray(0, 100_000), () => response.socket?.destroy());
      else response.end(request.url === "/broken" ? broken : whole);
    },
    async (client) => {
      assert(await download(client, "/right"));
      assert.equal(await download(client, "/broken"), undefined);
      assert.equal(await download(client, "/cut"), undefined);
    },
  );
  assert.deepEqual([recorder.requests, recorder.failed, recorder.cut], [3, 2, 1]);
  assert.match(recorder.failures[0]?.what ?? "", /wrong bytes/);
});

test("traffic: an upload that is refused before its end is judged by the refusal", async () => {
  const content = rawContent(1, "refused", 20_000_000);
  const { recorder } = await against(
    (request, response) => {
      response.writeHead(409, { Connection: "close" }).end("not queued");
      request.resume();
    },
    (client) => client.call({ kind: "upload", method: "PUT", path: "/", body: contentStream(content), expect: [204] }),
  );
  assert.equal(recorder.failed, 1);
  assert.match(recorder.failures[0]?.what ?? "", /status 409/);
});

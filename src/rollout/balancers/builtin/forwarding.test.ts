// What the embedded balancer does with requests when servers or clients misbehave: nothing is lost, doubled, cut short or kept waiting.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../../../test/servers/eventually.ts";
import { freePort } from "../../../../test/servers/free-port.ts";
import { silentLogger } from "../../../core/logger.ts";
import { startTraffic } from "../../testing/balancer-conformance.ts";
import { startTestServer, type TestServer } from "../../testing/test-server.ts";
import { startBalancer } from "./balancer-server.ts";
import type { BalancerSettings } from "./balancer-settings.ts";

type Stage = {
  readonly url: string;
  readonly servers: readonly [TestServer, TestServer];
  readonly sessions: () => number;
};

function stage(title: string, check: (stage: Stage) => Promise<void>, settings: Partial<BalancerSettings> = {}): void {
  test(`builtin: ${title}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "perennial-forward-"));
    const servers = [await startTestServer("n1"), await startTestServer("n2")] as const;
    const listen = `127.0.0.1:${await freePort()}`;
    const balancer = await startBalancer(
      {
        listen,
        admin: join(folder, "admin"),
        servers,
        checkMs: 100,
        fall: 2,
        rise: 1,
        holdMsMax: 2_000,
        idleMsMax: 10_000,
        ...settings,
      },
      silentLogger,
    );
    try {
      await check({ url: `http://${listen}`, servers, sessions: balancer.sessions });
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
      await balancer.stop();
      await rm(folder, { recursive: true });
    }
  });
}

/** A request whose body is sent by the test; rejects where the connection breaks before the answer. */
function send(url: string, method: string, headers: Record<string, string | number>) {
  const request = httpRequest(url, { method, headers, agent: false });
  const answer = once(request, "response").then(([response]) => response as IncomingMessage);
  answer.catch(() => undefined);
  return { request, answer };
}
async function text(message: IncomingMessage): Promise<string> {
  let all = "";
  for await (const chunk of message.setEncoding("utf8")) all += chunk;
  return all;
}
/** Other requests in a row during which nothing more is taken of an upload that is held up. */
const stillMax = 20;

/** Counts the bytes of the body, then answers them. */
const count: TestServer["handle"] = async (request, response) => {
  let bytes = 0;
  for await (const chunk of request) bytes += chunk.length;
  response.end(String(bytes));
};

stage(
  "a large upload arrives whole, at the server's pace and without being kept in memory",
  async ({ url, servers }) => {
    let held = false;
    for (const server of servers) {
      server.handle = async (request, response) => {
        if (request.method === "GET") return void response.end();
        // Does not read for a while: then the client has to wait too.
        await eventually("the client is held up", () => held);
        await count(request, response);
      };
    }
    const total = 64 * 1024 * 1024;
    const { request, answer } = send(url, "PUT", { "content-length": total });
    const chunk = Buffer.alloc(1024 * 1024, "x");
    let sent = 0;
    const sending = (async () => {
      for (; sent < total; sent += chunk.length) if (!request.write(chunk)) await once(request, "drain");
      request.end();
    })();
    // A balancer that keeps all it can get takes more while it does other things.
    for (let still = 0; still < stillMax && sent < total; ) {
      const before = sent;
      const other = send(url, "GET", {});
      other.request.end();
      await text(await other.answer);
      still = sent === before ? still + 1 : 0;
    }
    assert(sent < total, "the balancer swallowed 64 MB that no server read");
    held = true;
    await sending;
    assert.equal(await text(await answer), String(total));
  },
);

stage("a chunked upload stays chunked, and headers pass as they came", async ({ url, servers }) => {
  let seen: IncomingMessage | undefined;
  for (const server of servers) {
    server.handle = async (request, response) => {
      seen = request;
      response.setHeader("X-Twice", ["a", "b"]);
      response.setHeader("Connection", "close, X-Private");
      response.setHeader("X-Private", "for the balancer");
      await count(request, response);
    };
  }
  const { request, answer } = send(`${url}/v2/images?x=%20y`, "PATCH", {
    "X-Auth-Token": "t",
    Host: "images.example:80",
    "Transfer-Encoding": "chunked",
    "X-Forwarded-For": "10.0.0.1",
  });
  request.end("12345");
  const response = await answer;
  assert.equal(await text(response), "5");
  assert.equal(seen?.url, "/v2/images?x=%20y");
  assert.equal(seen?.headers.host, "images.example:80");
  assert.equal(seen?.headers["transfer-encoding"], "chunked");
  assert.equal(seen?.headers["x-forwarded-for"], "10.0.0.1, 127.0.0.1");
  assert(seen?.rawHeaders.includes("X-Auth-Token"));
  assert.deepEqual(response.rawHeaders.filter((name) => name === "X-Twice").length, 2);
  assert.equal(response.headers["x-private"], undefined);
});

stage(
  "a client that goes away in mid-upload is gone for the server too, and in mid-download as well",
  async ({ url, servers, sessions }) => {
    let aborted = 0;
    let begun = 0;
    for (const server of servers) {
      server.handle = (request, response) => {
        begun++;
        response.on("close", () => {
          if (!response.writableFinished) aborted++;
        });
        if (request.method === "PUT") request.resume().on("error", () => undefined);
        else response.write(Buffer.alloc(4_000_000));
      };
    }
    const upload = send(url, "PUT", { "content-length": 1_000_000 });
    upload.request.on("error", () => undefined).write("half of it");
    await eventually("the upload reached a server", () => begun === 1);
    upload.request.destroy();
    await eventually("the server noticed", () => aborted === 1);
    const download = send(url, "GET", {});
    download.request.on("error", () => undefined).end();
    const response = await download.answer;
    await once(
      response.on("error", () => undefined),
      "data",
    );
    download.request.destroy();
    await eventually("the server noticed", () => aborted === 2);
    await eventually("no session is left", () => sessions() === 0);
  },
);

stage(
  "a server that refuses connections costs nobody anything, uploads included",
  async ({ url, servers }) => {
    for (const server of servers) server.handle = count;
    await servers[0].stop();
    for (let turn = 0; turn < 6; turn++) {
      const { request, answer } = send(url, "PUT", { "content-length": 300_000 });
      request.end(Buffer.alloc(300_000));
      assert.equal(await text(await answer), "300000");
    }
  },
  { checkMs: 60_000 },
);

stage(
  "a server that dies in mid-request: what may be repeated is, elsewhere; what may have been acted upon is not",
  async ({ url, servers }) => {
    let acted = 0;
    servers[0].handle = (request) => {
      acted++;
      request.resume().on("end", () => request.socket.destroy());
    };
    for (let turn = 0; turn < 4; turn++) assert.equal(await (await fetch(url)).text(), "n2");
    for (let turn = 0; turn < 4; turn++) assert.equal((await fetch(url, { method: "DELETE" })).status, 200);
    acted = 0;
    const posts = await Promise.all(
      Array.from({ length: 4 }, async () => (await fetch(url, { method: "POST", body: "{}" })).status),
    );
    assert.deepEqual([...posts].sort(), [200, 200, 502, 502]);
    assert.equal(acted, 2, "each post reached a server once");
  },
);

stage("a kept connection that the server closes under a request costs nobody anything", async ({ url, servers }) => {
  for (const server of servers) {
    const used = new WeakSet<object>();
    // The second request on a connection finds it closed, as a server does that grew tired of an idle one at that moment.
    server.handle = (request, response) => {
      if (used.has(request.socket)) return void request.socket.destroy();
      used.add(request.socket);
      response.end(server.name);
    };
  }
  const traffic = startTraffic(url, 4);
  await eventually("enough requests", async () => (await fetch(url)).ok && ++rounds > 50);
  const { failures } = await traffic.stop();
  assert.deepEqual(failures, []);
});
let rounds = 0;

stage("an answer that breaks off breaks off for the client too", async ({ url, servers }) => {
  for (const server of servers) {
    server.handle = (_request, response) => {
      response.writeHead(200, { "content-length": 1_000 });
      response.write("only this", () => response.destroy());
    };
  }
  await assert.rejects(async () => (await fetch(url)).text());
});

stage(
  "an answer that comes before the body is read reaches a client that is still sending",
  async ({ url, servers }) => {
    for (const server of servers) {
      server.handle = (request, response) => {
        response.writeHead(413, { connection: "close" }).end("too large");
        request.resume();
      };
    }
    const { request, answer } = send(url, "PUT", { "content-length": 50_000_000 });
    request.on("error", () => undefined);
    request.write(Buffer.alloc(100_000));
    const response = await answer;
    assert.equal(response.statusCode, 413);
    assert.equal(await text(response), "too large");
    request.destroy();
  },
);

stage(
  "a client that asks before it sends is told to go on by the server, or spared the sending",
  async ({ url, servers }) => {
    for (const server of servers) server.handle = count;
    const willing = send(url, "PUT", { "content-length": 5, expect: "100-continue" });
    willing.request.flushHeaders();
    await once(willing.request, "continue");
    willing.request.end("12345");
    assert.equal(await text(await willing.answer), "5");
    for (const server of servers) await server.stop();
    const refused = send(url, "PUT", { "content-length": 5, expect: "100-continue" });
    refused.request.on("error", () => undefined).flushHeaders();
    assert.equal((await refused.answer).statusCode, 503);
    refused.request.destroy();
  },
  { holdMsMax: 100 },
);

stage(
  "while no server can take it a request is held, and served when one can; refused only after that",
  async ({ url, servers }) => {
    for (const server of servers) server.healthy = false;
    await eventually("both are down", async () => (await fetch(url)).status === 503, { everyMs: 0 });
    const held = fetch(url);
    servers[1].healthy = true;
    assert.equal(await (await held).text(), "n2");
  },
  { holdMsMax: 300 },
);

stage("answers without a body, of HEAD and with 204 and 304, end", async ({ url, servers }) => {
  for (const server of servers) {
    server.handle = (request, response) => {
      const status = Number(request.url?.slice(1));
      response.writeHead(status, status === 200 ? { "content-length": 1_000 } : {}).end();
    };
  }
  const agent = new Agent({ keepAlive: true });
  for (const [method, status] of [
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
    ["HEAD", 200],
  ] as const) {
    const request = httpRequest(`${url}/${status}`, { method, agent }).end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    assert.equal(response.statusCode, status);
    assert.equal(await text(response), "");
    if (method === "HEAD") assert.equal(response.headers["content-length"], "1000");
  }
  agent.destroy();
});

test("builtin: a server that accepts connections and never answers its health check is down", async () => {
  const deaf = createServer(() => undefined).listen(0, "127.0.0.1");
  await once(deaf, "listening");
  const bound = deaf.address();
  const folder = await mkdtemp(join(tmpdir(), "perennial-forward-"));
  const listen = `127.0.0.1:${await freePort()}`;
  const address = typeof bound === "object" ? `127.0.0.1:${bound?.port}` : "";
  const balancer = await startBalancer(
    {
      listen,
      admin: join(folder, "admin"),
      servers: [{ name: "deaf", address }],
      checkMs: 50,
      fall: 2,
      rise: 1,
      holdMsMax: 0,
      idleMsMax: 1_000,
    },
    silentLogger,
  );
  try {
    assert.equal((await fetch(`http://${listen}`)).status, 503);
    const raw = connect(Number(listen.split(":")[1]), "127.0.0.1");
    raw.end("not http at all\r\n\r\n");
    const [answer] = (await once(raw, "data")) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 400/);
  } finally {
    await balancer.stop();
    deaf.close();
    await rm(folder, { recursive: true });
  }
});

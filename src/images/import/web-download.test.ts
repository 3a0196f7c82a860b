// Web-download reaches what it may and nothing else, however the way there is written, and tells what went wrong.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { canonicalAddress } from "../../core/addresses.ts";
import { isServiceError } from "../../core/errors.ts";
import { UriFilter, type UriRules } from "./uri-filter.ts";
import { openWebDownload } from "./web-download.ts";

const all = { allowed: [], disallowed: [] };
const rulesOf = (changes: Partial<UriRules> = {}): UriRules => ({
  schemes: { allowed: ["http", "https"], disallowed: [] },
  hosts: all,
  ports: { allowed: [80, 443], disallowed: [] },
  ...changes,
});
const local = rulesOf({ hosts: { allowed: ["127.0.0.1", "localhost"], disallowed: [] }, ports: all });
const never = new AbortController().signal;

const refused = (rules: UriRules, uri: string) => {
  try {
    new UriFilter(rules).parse(uri);
    return false;
  } catch (error) {
    assert(isServiceError(error, "images.invalid"), String(error));
    return true;
  }
};

async function serve(listener: RequestListener): Promise<AsyncDisposable & { url: string; port: number }> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

test("web-download: by default nothing on this machine or its link is reached, however it is written", () => {
  for (const host of [
    "127.0.0.1",
    "127.1.2.3",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "0",
    "0.0.0.0",
    "169.254.169.254",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "user@127.0.0.1",
    "example.org@127.0.0.1",
  ])
    assert(refused(rulesOf(), `http://${host}/image`), host);
  for (const host of ["images.example", "93.184.216.34", "[2606:2800:220:1::1]", "10.0.0.1"])
    assert(!refused(rulesOf(), `http://${host}/image`), host);
});

test("web-download: schemes, ports and hosts go by the operator's lists; an address also as another spelling of it", () => {
  for (const uri of ["file:///etc/passwd", "ftp://h/x", "HTTP:/h", "h/x", "", "http://", "http:///x", "gopher://h/"])
    assert(refused(rulesOf(), uri), uri);
  assert(refused(rulesOf(), "http://h:8080/x"));
  assert(!refused(rulesOf(), "http://h:80/x") && !refused(rulesOf(), "HTTPS://H:443/x"));
  assert(!refused(rulesOf({ ports: { allowed: [], disallowed: [22] } }), "http://h:8080/x"));
  assert(refused(rulesOf({ ports: { allowed: [], disallowed: [22] } }), "http://h:22/x"));
  assert(refused(rulesOf({ schemes: { allowed: [], disallowed: ["http"] } }), "http://h/x"));
  const denied = rulesOf({ hosts: { allowed: [], disallowed: ["Evil.example", "10.0.0.1"] } });
  for (const host of ["evil.example", "EVIL.example.", "10.0.0.1", "[::ffff:10.0.0.1]", "[::ffff:a00:1]"])
    assert(refused(denied, `http://${host}/x`), host);
  const listed = rulesOf({ hosts: { allowed: ["good.example"], disallowed: ["good.example"] } });
  assert(!refused(listed, "http://good.example/x") && refused(listed, "http://other.example/x"));
  assert.equal(canonicalAddress("[::FFFF:1.2.3.4]"), "1.2.3.4");
});

test("web-download: the data comes as it is, over redirects that are allowed", async () => {
  await using server = await serve((request, response) => {
    if (request.url === "/from") response.writeHead(302, { location: "/to" }).end();
    else response.writeHead(200, { "content-length": 5 }).end("hello");
  });
  const filter = new UriFilter(local);
  const { stream, sizeBytes } = await openWebDownload(`${server.url}/from`, { signal: never, filter });
  assert.equal(sizeBytes, 5);
  assert.equal(await text(stream), "hello");
  const named = await openWebDownload(`http://localhost:${server.port}/to`, { signal: never, filter });
  assert.equal(await text(named.stream), "hello");
});

test("web-download: a redirect is asked of the filter like the URL itself, and there is an end to them", async () => {
  let asked = 0;
  await using server = await serve((request, response) => {
    asked += 1;
    const location = request.url === "/loop" ? "/loop" : `http://[::ffff:169.254.169.254]/latest`;
    response.writeHead(301, { location }).end();
  });
  const filter = new UriFilter(local);
  const open = (path: string) => openWebDownload(`${server.url}${path}`, { signal: never, filter });
  await assert.rejects(open("/away"), (error) => isServiceError(error, "images.invalid"));
  assert.equal(asked, 1);
  await assert.rejects(open("/loop"), (error) => isServiceError(error, "images.source_failed"));
  assert.equal(asked, 7);
});

test("web-download: a name that leads to this machine is not connected to, whatever it led to when it was looked at", async () => {
  let asked = 0;
  await using server = await serve((_request, response) => {
    asked += 1;
    response.end("secret");
  });
  // The name passes the lists; where it leads is judged when it is connected to, by the very address that is used.
  const filter = new UriFilter(rulesOf({ ports: all }));
  const opening = openWebDownload(`http://localhost:${server.port}/`, { signal: never, filter });
  await assert.rejects(opening, (error) => isServiceError(error, "images.invalid"));
  assert.equal(asked, 0);
});

test("web-download: a server that fails, breaks off or falls silent ends the download", async () => {
  await using server = await serve((request, response) => {
    if (request.url === "/missing") response.writeHead(404).end();
    else if (request.url === "/silent") request.resume();
    else {
      response.writeHead(200, { "content-length": 10 });
      response.write("half", () => (request.url === "/cut" ? response.destroy() : undefined));
    }
  });
  const filter = new UriFilter(local);
  const open = (path: string, signal = never) =>
    openWebDownload(`${server.url}${path}`, { signal, filter, silentMsMax: 50 });
  for (const path of ["/missing", "/silent"])
    await assert.rejects(open(path), (error) => isServiceError(error, "images.source_failed"), path);
  for (const path of ["/cut", "/stall"]) await assert.rejects(async () => text((await open(path)).stream), path);
  const controller = new AbortController();
  const aborted = open("/silent", controller.signal);
  controller.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
});

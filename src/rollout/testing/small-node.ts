// A node small enough for driver tests: started like glance-api (`--config-file F`), it serves, drains at TERM and ends at the second one.
//   GET /healthcheck   200, or 503 while draining
//   GET /hold?file=F   answers when F is there     GET /            {name, release, pid, holding}
//   PUT /              counts the body's bytes     GET /bytes?n=N   N bytes

import { existsSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import { Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { parseConfig, readConfigText } from "../../core/config-parser.ts";

const file = process.argv[process.argv.indexOf("--config-file") + 1] ?? "";
const entries = parseConfig(readConfigText(file), file);
const option = (section: string, name: string) =>
  entries.findLast((entry) => entry.section === section && entry.option === name)?.value;
const name = option("perennial", "node_name") ?? "";
const release = option("perennial", "release");

if (option("small", "fail") === release) {
  process.stderr.write("the small node was told to fail\n");
  process.exit(64);
}

let draining = false;
let holding = 0;
const server: HttpServer = createServer(async (request, response) => {
  if (draining) response.setHeader("connection", "close");
  response.setHeader("x-node", name);
  const url = new URL(request.url ?? "/", "http://node");
  if (url.pathname === "/healthcheck")
    return response.writeHead(draining ? 503 : 200).end(draining ? "draining" : "OK");
  if (url.pathname === "/hold") {
    holding++;
    while (!existsSync(url.searchParams.get("file") ?? "")) await sleep(20);
    holding--;
  }
  if (url.pathname === "/bytes") {
    const chunk = Buffer.alloc(65_536, name);
    for (let left = Number(url.searchParams.get("n")); left > 0; left -= chunk.length) {
      if (response.destroyed) return undefined;
      if (!response.write(chunk.subarray(0, left)))
        await new Promise((resolve) => response.once("drain", resolve).once("close", resolve));
    }
    return response.end();
  }
  let bytes = 0;
  for await (const chunk of request) bytes += chunk.length;
  return response.end(JSON.stringify({ name, release, pid: process.pid, bytes, holding }));
});
server.listen(Number(option("DEFAULT", "bind_port")), option("DEFAULT", "bind_host") ?? "127.0.0.1");

process.on("SIGTERM", () => {
  if (option("small", "deaf") !== undefined) return;
  if (draining) process.exit(1);
  draining = true;
  // Only the listener: connections that have a request under way, or are about to have one, are left alone.
  sleep(100).then(() => Server.prototype.close.call(server, () => process.exit(0)));
  setInterval(() => server.closeIdleConnections(), 50);
});

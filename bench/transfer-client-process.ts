// Uploads or downloads once, from a process of its own, and tells its parent how long it took.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:http";

const [method = "", url = "", size = "0", token = ""] = process.argv.slice(2);
const chunk = randomBytes(1_048_576);
const headers: Record<string, string> = { "X-Auth-Token": token };
if (method === "PUT") {
  headers["Content-Type"] = "application/octet-stream";
  headers["Content-Length"] = size;
}
const started = performance.now();
const outgoing = request(url, { method, headers });
const answered = once(outgoing, "response");
if (method === "PUT")
  for (let sent = 0; sent < Number(size); sent += chunk.length)
    if (!outgoing.write(chunk.subarray(0, Math.min(chunk.length, Number(size) - sent)))) await once(outgoing, "drain");
outgoing.end();
const [response] = (await answered) as [IncomingMessage];
let bytes = 0;
for await (const part of response) bytes += (part as Buffer).length;
process.send?.({ status: response.statusCode, bytes, ms: performance.now() - started });
process.disconnect?.();

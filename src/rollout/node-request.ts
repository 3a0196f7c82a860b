// One HTTP request to one node, past the balancer, on a connection of its own.
import type { IncomingHttpHeaders } from "node:http";
import { request as httpRequest } from "../core/node-http.ts";
import { splitAddress } from "./balancers/builtin/balancer-settings.ts";

export type NodeAnswer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer };

const bodyBytesMax = 16_000_000;

/** Rejects where no whole answer comes, also when `signal` aborts. */
export function requestNode(
  address: string,
  options: { method: string; path: string; headers?: Readonly<Record<string, string>>; body?: string | Buffer },
  signal: AbortSignal,
): Promise<NodeAnswer> {
  const { method, path, headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const outgoing = httpRequest(
      { ...splitAddress(address), method, path, headers: { ...headers, ...length }, agent: false, signal },
      (incoming) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        incoming.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > bodyBytesMax) outgoing.destroy(new Error(`the answer to ${method} ${path} has no end`));
          else chunks.push(chunk);
        });
        incoming.on("error", reject).on("end", () => {
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) });
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

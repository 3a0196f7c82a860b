// Answers every request of the embedded balancer: chooses a server, and another one as long as the first cannot have acted on the request.
//
// What is sent again, and when:
//   no connection                         every request, at another server; the body has not been touched
//   connection lost, body not yet read    every request: no server acts on half a request
//   connection lost before the answer     requests without a body whose repetition is harmless (GET, HEAD, OPTIONS, PUT, DELETE)
//   after the answer has begun            never; the client's connection breaks too
// Kept connections are used for GET, HEAD and OPTIONS alone, so that a server that closes an idle one can never cost a write.
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Attempt, type Exchange, forward, linger } from "./forward.ts";
import type { Upstream } from "./upstream.ts";
import type { UpstreamPool } from "./upstream-pool.ts";

const repeatable = /^(GET|HEAD|OPTIONS|PUT|DELETE)$/;
const safe = /^(GET|HEAD|OPTIONS)$/;

export type HandlerSettings = {
  readonly pool: UpstreamPool;
  readonly holdMsMax: number;
  readonly idleMsMax: number;
  readonly closing: () => boolean;
};

export async function handleRequest(
  settings: HandlerSettings,
  request: IncomingMessage,
  response: ServerResponse,
  awaitsContinue: boolean,
): Promise<void> {
  const { pool, holdMsMax, idleMsMax, closing } = settings;
  const exchange: Exchange = { request, response, hasBody: hasBody(request), awaitsContinue, closing, idleMsMax };
  const method = request.method ?? "GET";
  const gone = new AbortController();
  const onClose = () => gone.abort();
  response.once("close", onClose);
  try {
    const tried = new Set<Upstream>();
    let keptConnection = safe.test(method) && !exchange.hasBody;
    // Each server once, and once more on a fresh connection after a kept one turned out to be closed.
    for (let attempt = 0; attempt <= pool.upstreams.length; attempt++) {
      const upstream = await pool.take(tried, holdMsMax, gone.signal);
      if (gone.signal.aborted) return;
      if (!upstream) break;
      const result = await forward(exchange, upstream, keptConnection);
      if (typeof result === "string") return;
      if (!mayRepeat(result, exchange, method)) return refuse(exchange, 502, "the server's connection was lost");
      // Down until a check passes, and then as good as any other.
      if (result.failed === "unsent") pool.setUp(upstream, false);
      else if (keptConnection) keptConnection = false;
      else tried.add(upstream);
    }
    refuse(exchange, tried.size > 0 ? 502 : 503, "no server can take the request");
  } finally {
    response.off("close", onClose);
  }
}

function mayRepeat(attempt: Exclude<Attempt, string>, exchange: Exchange, method: string): boolean {
  if (exchange.response.headersSent) return false;
  if (attempt.failed !== "begun") return true;
  return !exchange.hasBody && repeatable.test(method);
}

function hasBody(request: IncomingMessage): boolean {
  return request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0;
}

function refuse({ request, response }: Exchange, status: 502 | 503, why: string): void {
  if (response.destroyed) return;
  const text = `${status === 502 ? "Bad Gateway" : "Service Unavailable"}: ${why}\n`;
  response.writeHead(status, { "content-type": "text/plain", "content-length": text.length });
  response.end(text);
  linger(request);
}

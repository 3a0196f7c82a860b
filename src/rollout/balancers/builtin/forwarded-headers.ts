// Which headers pass through the balancer: all but those that concern one connection alone, in the spelling and order they came in.
import type { IncomingMessage } from "node:http";

const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Flat name, value, name, value ..., as `rawHeaders` is. */
export function requestHeaders(request: IncomingMessage, options: { hasBody: boolean }): string[] {
  const headers = endToEnd(request);
  const has = (name: string) => request.headers[name] !== undefined;
  const client = request.socket.remoteAddress;
  if (client !== undefined) headers.push("X-Forwarded-For", client);
  if (!has("x-forwarded-proto")) headers.push("X-Forwarded-Proto", "http");
  if (!has("x-forwarded-host") && request.headers.host !== undefined)
    headers.push("X-Forwarded-Host", request.headers.host);
  if (has("transfer-encoding")) headers.push("Transfer-Encoding", "chunked");
  else if (!options.hasBody && !has("content-length") && /^(POST|PUT|PATCH)$/.test(request.method ?? ""))
    headers.push("Content-Length", "0");
  return headers;
}

export function responseHeaders(response: IncomingMessage, options: { close: boolean }): string[] {
  const headers = endToEnd(response);
  if (options.close) headers.push("Connection", "close");
  return headers;
}

function endToEnd(message: IncomingMessage): string[] {
  // The connection header names further headers that are for this connection only.
  const named = (message.headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase());
  const headers: string[] = [];
  for (let index = 0; index + 1 < message.rawHeaders.length; index += 2) {
    const name = message.rawHeaders[index] ?? "";
    const lower = name.toLowerCase();
    if (!hopByHop.has(lower) && !named.includes(lower)) headers.push(name, message.rawHeaders[index + 1] ?? "");
  }
  return headers;
}

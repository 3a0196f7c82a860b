// Forwards one request to one server and streams the answer back, both ways at the pace of the slower side. It says what became of the
// attempt, so that its caller can try another server as long as nothing of the request can have been acted upon.
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { request as httpRequest } from "../../../core/node-http.ts";
import { requestHeaders, responseHeaders } from "./forwarded-headers.ts";
import type { Upstream } from "./upstream.ts";

const headerBytesMax = 65_536;
const connectMsMax = 3_000;
/** How long the rest of a request is read and thrown away after its answer, so that its client gets to read the answer. */
const lingerMsMax = 30_000;

/** `unsent`: no connection. `unread`: connected, but none of the body was taken from the client. `begun`: it may have been acted upon. */
export type Attempt =
  | "answered"
  | "client-gone"
  | { readonly failed: "unsent" | "unread" | "begun"; readonly error: Error };

export type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly hasBody: boolean;
  /** The client asked to be told before it sends the body, and has not been told yet. */
  awaitsContinue: boolean;
  /** The client's connection is to be closed after this response. */
  readonly closing: () => boolean;
  readonly idleMsMax: number;
};

/** `keptConnection`: a kept connection may be used; only for requests that can be sent again. */
export function forward(exchange: Exchange, upstream: Upstream, keptConnection: boolean): Promise<Attempt> {
  const { request, response, hasBody } = exchange;
  return new Promise((resolve) => {
    const startedMs = performance.now();
    const end = upstream.begin();
    let stage: "unsent" | "unread" | "begun" | "answering" = "unsent";
    const outgoing = httpRequest({
      host: upstream.host,
      port: upstream.port,
      method: request.method ?? "GET",
      path: request.url ?? "/",
      headers: requestHeaders(request, { hasBody }),
      agent: keptConnection ? upstream.agent : false,
      setHost: false,
      maxHeaderSize: headerBytesMax,
    });

    let settled = false;
    const settle = (attempt: Attempt) => {
      settled = true;
      end();
      clearTimeout(connectTimer);
      response.off("close", onClientGone);
      request.off("data", onBody);
      resolve(attempt);
    };
    const onBody = () => {
      if (stage === "unread") stage = "begun";
    };
    const onClientGone = () => {
      if (response.writableFinished) return;
      outgoing.destroy();
      settle("client-gone");
    };
    const connectTimer = setTimeout(
      () => outgoing.destroy(new Error(`no connection to ${upstream.address} within ${connectMsMax / 1000} s`)),
      connectMsMax,
    );
    response.on("close", onClientGone);
    if (response.destroyed) return onClientGone();

    whenConnected(outgoing, () => {
      clearTimeout(connectTimer);
      stage = hasBody ? "unread" : "begun";
      outgoing.setTimeout(exchange.idleMsMax, () => outgoing.destroy(new Error(`${upstream.name} fell silent`)));
      if (!hasBody) return outgoing.end();
      outgoing.flushHeaders();
      request.on("data", onBody);
      request.pipe(outgoing);
      return undefined;
    });
    outgoing.on("continue", () => {
      if (exchange.awaitsContinue && !response.headersSent) response.writeContinue();
      exchange.awaitsContinue = false;
    });
    outgoing.on("error", (error) => {
      // Once the answer has begun its own stream tells how it ends; that the rest of the body could not be sent does not matter then.
      if (settled || stage === "answering") return;
      request.unpipe(outgoing);
      upstream.failed();
      settle({ failed: stage, error });
    });
    outgoing.on("response", (incoming) => {
      stage = "answering";
      const status = incoming.statusCode ?? 502;
      upstream.answered(status, hasBody ? null : performance.now() - startedMs);
      response.sendDate = false;
      response.writeHead(status, incoming.statusMessage, responseHeaders(incoming, { close: exchange.closing() }));
      // Breaks the client's connection where the server's breaks, so that nobody takes half an image for a whole one; and the reverse.
      pipeline(incoming, response, (error) => {
        if (error && !response.writableFinished) {
          outgoing.destroy();
          upstream.failed();
        } else if (hasBody && !request.readableEnded) {
          // The server answered before it had the whole body.
          request.unpipe(outgoing);
          outgoing.destroy();
          linger(request);
        }
        settle("answered");
      });
    });
    return undefined;
  });
}

/** Calls back once the request's connection stands, at once for a kept one. */
function whenConnected(outgoing: ClientRequest, connected: () => void): void {
  outgoing.once("socket", (socket) => {
    if (socket.connecting) socket.once("connect", connected);
    else connected();
  });
}

/** Reads and throws away the rest of a request that is answered already. */
export function linger(request: IncomingMessage): void {
  if (request.readableEnded || request.destroyed) return;
  const timer = setTimeout(() => request.destroy(), lingerMsMax);
  request.once("close", () => clearTimeout(timer)).once("end", () => clearTimeout(timer));
  request.resume();
}

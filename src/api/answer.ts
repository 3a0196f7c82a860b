// Writing answers. Everything goes through here, so that every answer has the headers of this service, and so that a client whose
// body was not read to its end still gets to see the status.
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { returnPiece } from "../core/lent-pieces.ts";
import { titleOf } from "./problem.ts";
import { expectsContinue, hasBody, releaseBody } from "./request-body.ts";

export type Answer = {
  readonly status: number;
  /** Lower-case names. `content-length` is added for text. */
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: string | Buffer | Readable;
  /** Without content the answer has no type either, as some have none beside the reference. */
  readonly untyped?: true;
};

/** As the reference labels answers without content. */
const emptyType = "text/html; charset=UTF-8";

/** How much of an unread body is taken off the wire, and for how long, before the connection is closed on the client. */
const lingerBytesMax = 256 * 2 ** 20;
const lingerMsMax = 30_000;
/** A rest this small is read for the sake of the connection, which then serves on. */
const keepAliveRestBytesMax = 2 ** 20;

/**
 * Resolves when the answer is written or the client gone. Rejects where a body failed in the middle; the connection is destroyed then, so
 * that the client cannot take the part for the whole.
 */
export async function writeAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  options: { requestId: string | null; closing: boolean },
): Promise<void> {
  if (response.destroyed || response.headersSent) {
    if (answer.body instanceof Readable) answer.body.destroy();
    return;
  }
  const { status, body } = answer;
  if (options.requestId !== null) response.setHeader("x-openstack-request-id", options.requestId);
  for (const name in answer.headers) response.setHeader(name, answer.headers[name] ?? "");
  if (options.closing) response.setHeader("connection", "close");
  response.statusCode = status;
  response.statusMessage = titleOf(status);
  if (body instanceof Readable) {
    if (request.method !== "HEAD") return sendStream(response, body);
    body.destroy();
    response.end();
    return;
  }
  if (body === undefined) {
    if (!answer.untyped && answer.headers?.["content-type"] === undefined)
      response.setHeader("content-type", emptyType);
    if (status !== 204) response.setHeader("content-length", 0);
  } else response.setHeader("content-length", Buffer.byteLength(body));
  if (hasBody(request) && !request.complete) await sendBeforeBodyEnds(request, response, body ?? "");
  else response.end(body);
}

/** A body of another length than announced is cut: a client that got too little would wait for the rest for ever. */
async function sendStream(response: ServerResponse, body: Readable): Promise<void> {
  const announcedBytes = Number(response.getHeader("content-length"));
  let sentBytes = 0;
  let clientLeft = false;
  // One piece at a time: the next is read meanwhile, and what the system has taken over may be filled again.
  const sink = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      sentBytes += chunk.length;
      response.write(chunk, (error) => {
        if (!error) returnPiece(chunk);
        done(error);
      });
    },
  });
  response.once("close", () => {
    clientLeft = !response.writableFinished;
    // What waits to be written then may never be called back.
    if (clientLeft) sink.destroy();
  });
  try {
    await pipeline(body, sink);
    if (sentBytes !== announcedBytes) throw new Error(`${sentBytes} bytes came where ${announcedBytes} were announced`);
    response.end();
  } catch (error) {
    // A client that leaves in the middle is no failure of ours; pipeline has destroyed the source.
    if (!clientLeft && response.socket?.destroyed === false) throw error;
  }
}

/**
 * The whole answer goes out first. Closing now would reset a client that still sends, and it might never read its answer; so the rest of
 * its body is thrown away for a while, and only then the answer is ended.
 */
async function sendBeforeBodyEnds(
  request: IncomingMessage,
  response: ServerResponse,
  body: string | Buffer,
): Promise<void> {
  const restBytes = Number(request.headers["content-length"] ?? Number.POSITIVE_INFINITY);
  // A client still waiting for `100 Continue` may never send its body: what comes next could be either.
  const reusable = restBytes <= keepAliveRestBytesMax && !expectsContinue(request);
  if (!reusable) response.setHeader("connection", "close");
  response.writeHead(response.statusCode);
  if (body.length > 0 && request.method !== "HEAD") response.write(body);
  else response.flushHeaders();
  await new Promise<void>((resolve) => {
    let droppedBytes = 0;
    const done = () => {
      clearTimeout(timer);
      request.off("data", drop).off("end", done).off("close", done).off("error", done);
      resolve();
    };
    const drop = (chunk: Buffer) => {
      droppedBytes += chunk.length;
      if (droppedBytes > lingerBytesMax) done();
    };
    const timer = setTimeout(done, lingerMsMax);
    releaseBody(request);
    request.on("data", drop).on("end", done).on("close", done).on("error", done);
    request.resume();
  });
  if (!request.complete) response.shouldKeepAlive = false;
  response.end();
}

// One open page: the feed's messages as server-sent events, for as long as its connection lasts.
import type { FastifyReply, FastifyRequest } from "fastify";
import type { FeedMessage, LiveFeed } from "./live-feed.ts";
import { securityHeaders } from "./security.ts";

/** So that a page knows a silent server from a lost connection; it waits for three of them. */
export const beatMs = 2_000;
/** A browser that sleeps takes nothing; it comes back by itself and gets the whole. */
const unreadBytesMax = 4 * 2 ** 20;
/** After a lost connection. */
const retryMs = 1_000;

export function streamFeed(feed: LiveFeed, request: FastifyRequest, reply: FastifyReply): void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    ...securityHeaders,
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  const write = (text: string) => {
    if (raw.writableLength > unreadBytesMax) raw.destroy();
    else if (!raw.destroyed) raw.write(text);
  };
  write(`retry: ${retryMs}\n\n`);
  const leave = feed.subscribe((message) => write(eventText(message)), lastIdOf(request));
  const beat = setInterval(() => write("event: beat\ndata: 0\n\n"), beatMs);
  raw.once("close", () => {
    clearInterval(beat);
    leave();
  });
  // Its close follows, and nobody is left to be told.
  raw.on("error", () => undefined);
}

/** A page that opens a new stream by itself cannot set the header. */
function lastIdOf(request: FastifyRequest): string | undefined {
  const { after } = request.query as { after?: unknown };
  const given = request.headers["last-event-id"] ?? after;
  return typeof given === "string" ? given : undefined;
}

/** JSON has no line breaks of its own, so that one line of data holds it. */
function eventText({ id, event, data }: FeedMessage): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

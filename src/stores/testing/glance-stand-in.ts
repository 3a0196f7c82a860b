// A server in the place of a Glance node that has a store which the node under test has not: it answers as a test says, and remembers what it
// was asked.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Reply = (request: IncomingMessage, response: ServerResponse) => void;

export class GlanceStandIn implements AsyncDisposable {
  readonly asked: IncomingMessage[] = [];
  readonly url: string;
  reply: Reply;
  readonly #server: Server;

  private constructor(server: Server, reply: Reply) {
    this.#server = server;
    this.reply = reply;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      this.asked.push(request);
      this.reply(request, response);
    });
  }

  static async start(reply: Reply): Promise<GlanceStandIn> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new GlanceStandIn(server, reply);
  }

  /** Nobody listens there any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }
}

/** As a Glance node gives data: the whole, or the range that is asked for. `cutAfter`: dies after so many bytes of its answer. */
export function giving(data: Buffer, { cutAfter }: { readonly cutAfter?: number } = {}): Reply {
  return (request, response) => {
    const [, first = "0", last = String(data.length - 1)] =
      /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    const part = data.subarray(Number(first), Number(last) + 1);
    const range = { "content-range": `bytes ${first}-${last}/${data.length}` };
    response.writeHead(request.headers.range === undefined ? 200 : 206, {
      "content-type": "application/octet-stream",
      "content-length": part.length,
      ...(request.headers.range === undefined ? {} : range),
    });
    if (cutAfter === undefined) response.end(part);
    else response.write(part.subarray(0, cutAfter), () => response.destroy());
  };
}

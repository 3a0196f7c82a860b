// Where a worker's requests go: to its own service, or, once another process serves the node, on to that one. A process that has handed
// over thereby touches the database only for what it had begun before, so that its release's columns can go as soon as that is done.
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { errorText } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { request as ask } from "../core/node-http.ts";

/** What concerns one connection alone. */
const hopHeaders = /^(connection|keep-alive|proxy-connection|upgrade)$/i;

export class Passage {
  readonly #logger: Logger;
  readonly #own: readonly RequestListener[];
  readonly #begun = new Map<ServerResponse, IncomingMessage>();
  #to: { readonly host: string; readonly port: number } | null = null;

  /** Begins to watch. To be called before anybody else listens for requests of the server besides its service. */
  constructor(server: Server, logger: Logger) {
    this.#logger = logger;
    this.#own = server.listeners("request") as RequestListener[];
    server.removeAllListeners("request");
    server.on("request", (request, response) => this.#take(request, response));
  }

  /** From now on requests are passed on to whoever serves there. */
  passOn(to: { readonly host: string; readonly port: number }): void {
    this.#to = to;
  }

  get passesOn(): boolean {
    return this.#to !== null;
  }

  /** Some request that was begun here may still ask or change something: all but answers that are being sent. */
  get busy(): boolean {
    return [...this.#begun].some(([response, { method }]) => !(method === "GET" && response.headersSent));
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    if (this.#to) {
      this.#pass(request, response, this.#to);
      return;
    }
    this.#begun.set(response, request);
    response.once("close", () => this.#begun.delete(response));
    for (const serve of this.#own) serve(request, response);
  }

  #pass(request: IncomingMessage, response: ServerResponse, to: { host: string; port: number }): void {
    const { method = "GET", url: path = "/" } = request;
    const passed = ask({ ...to, method, path, headers: endToEnd(request.rawHeaders), agent: false });
    passed.on("continue", () => response.writeContinue());
    passed.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? "", endToEnd(answer.rawHeaders));
      answer.on("error", () => response.destroy());
      answer.pipe(response);
    });
    passed.on("error", (error) => {
      // The client went away, or an answer was complete before the request was.
      if (response.destroyed || response.writableEnded) return;
      this.#logger.error({ method, path, error: errorText(error) }, "the process that took over does not answer");
      if (response.headersSent) response.destroy();
      else response.writeHead(503, { "content-type": "text/plain", "retry-after": "1" }).end("Service Unavailable\n");
    });
    response.once("close", () => passed.destroy());
    request.pipe(passed);
  }
}

/** The flat list of names and values, without what concerns one connection alone. */
function endToEnd(raw: readonly string[]): string[] {
  return raw.filter((_, index) => !hopHeaders.test(raw[index - (index % 2)] ?? ""));
}

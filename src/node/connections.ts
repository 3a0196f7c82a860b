// The connections of one worker's HTTP server: which carry a request, which are silent, and how to part from them without a reset.
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";

type Entry = { requests: number; bytesRead: number; activeMs: number };

/** How long the other side may take to answer our end of a silent connection with its own. */
const goodbyeMs = 1_000;
/** A listener that was quiet for so long has, as far as can be known, nothing waiting in its queue. */
const quietMs = 20;
const quietWaitMsMax = 500;

export class Connections {
  readonly #server: Server;
  readonly #entries = new Map<Socket, Entry>();
  readonly #nowMs: () => number;
  #acceptedMs = -Infinity;
  #requests = 0;
  #onEmpty: (() => void) | null = null;

  /** Begins to watch. `nowMs`: any clock that does not go back. */
  constructor(server: Server, nowMs: () => number = () => performance.now()) {
    this.#server = server;
    this.#nowMs = nowMs;
    server.on("connection", (socket: Socket) => this.#add(socket));
    server.prependListener("request", (request: IncomingMessage, response: ServerResponse) =>
      this.#begin(request.socket, response),
    );
  }

  get open(): number {
    return this.#entries.size;
  }

  get requestsInFlight(): number {
    return this.#requests;
  }

  /**
   * Closes the listener and nothing else: `http.Server.close()` would destroy idle connections that may already carry a request.
   * The kernel resets connections that nobody accepted, so it waits (half a second at most) for a quiet moment, and closes
   * right after the event loop has accepted all there were.
   */
  async closeListener(): Promise<void> {
    const giveUpMs = this.#nowMs() + quietWaitMsMax;
    do {
      await new Promise((resolve) => setTimeout(resolve, quietMs / 4));
      await new Promise((resolve) => setImmediate(resolve));
    } while (this.#nowMs() - this.#acceptedMs < quietMs && this.#nowMs() < giveUpMs);
    NetServer.prototype.close.call(this.#server);
  }

  /** Ends connections without a request from which nothing came for `silentMs`; a request under way, even half a header, counts as something. */
  endSilent(silentMs: number): void {
    const now = this.#nowMs();
    for (const [socket, entry] of this.#entries) {
      if (socket.bytesRead !== entry.bytesRead) {
        entry.bytesRead = socket.bytesRead;
        entry.activeMs = now;
      }
      if (entry.requests > 0 || now - entry.activeMs < silentMs || socket.writableEnded) continue;
      socket.end();
      setTimeout(() => socket.destroy(), goodbyeMs).unref();
    }
  }

  destroyAll(): void {
    for (const socket of this.#entries.keys()) socket.destroy();
  }

  /** Resolves when no connection is open; call it once, after the listener was closed. */
  async empty(): Promise<void> {
    if (this.#entries.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #add(socket: Socket): void {
    this.#acceptedMs = this.#nowMs();
    this.#entries.set(socket, { requests: 0, bytesRead: 0, activeMs: this.#acceptedMs });
    socket.once("close", () => {
      this.#entries.delete(socket);
      if (this.#entries.size === 0) this.#onEmpty?.();
    });
  }

  #begin(socket: Socket, response: ServerResponse): void {
    const entry = this.#entries.get(socket);
    this.#requests++;
    if (entry) entry.requests++;
    response.once("close", () => {
      this.#requests--;
      if (!entry) return;
      entry.requests--;
      entry.activeMs = this.#nowMs();
    });
  }
}

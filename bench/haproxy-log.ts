// What HAProxy says of each request it passed on, a line of its log for each, sent to a UDP port here: of times its statistics know means alone.
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { build, type Histogram } from "hdr-histogram-js";

/** The server's name, and how many ms the request took from its first byte to its answer's last. */
const format = "request %s %Ta";
const line = /request (\S+) (\d+)\s*$/;
const bufferBytes = 4 * 2 ** 20;

export class HaproxyLog {
  readonly #socket: Socket;
  readonly #servers = new Map<string, Histogram>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (message) => {
      const [, server, ms] = line.exec(message.toString()) ?? [];
      if (server !== undefined) this.#of(server).recordValue(Number(ms));
    });
  }

  static async open(): Promise<HaproxyLog> {
    const socket = createSocket({ type: "udp4", recvBufferSize: bufferBytes });
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    return new HaproxyLog(socket);
  }

  /** For startHaproxy. */
  get target(): { readonly address: string; readonly format: string } {
    return { address: `127.0.0.1:${this.#socket.address().port}`, format };
  }

  /** How many requests it told of since it was last forgotten. */
  count(server: string): number {
    return this.#of(server).totalCount;
  }

  latency(server: string): { readonly p50Ms: number; readonly p99Ms: number } {
    const found = this.#of(server);
    return { p50Ms: found.getValueAtPercentile(50), p99Ms: found.getValueAtPercentile(99) };
  }

  forget(): void {
    this.#servers.clear();
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }

  #of(server: string): Histogram {
    const found =
      this.#servers.get(server) ?? build({ highestTrackableValue: 600_000, numberOfSignificantValueDigits: 3 });
    this.#servers.set(server, found);
    return found;
  }
}

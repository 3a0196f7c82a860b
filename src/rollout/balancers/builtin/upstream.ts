// One server behind the embedded balancer: its state, its health, what it has under way, and what it has answered so far.
import { build, type Histogram } from "hdr-histogram-js";
import { Agent } from "../../../core/node-http.ts";
import type { RotationState } from "../../snapshot.ts";
import { splitAddress } from "./balancer-settings.ts";

export type UpstreamView = {
  readonly name: string;
  readonly address: string;
  readonly state: RotationState;
  readonly up: boolean;
  readonly sessions: number;
  readonly requests: number;
  /** Responses by first digit: `2xx`. */
  readonly responses: Readonly<Record<string, number>>;
  /** Requests that got no response from it. */
  readonly failures: number;
  /** To the head of the response, of requests without a body: an upload takes as long as its client. */
  readonly latency: { readonly count: number; readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
};

export class Upstream {
  readonly name: string;
  readonly address: string;
  readonly host: string;
  readonly port: number;
  /** Kept connections, for requests that may be sent again should one turn out to be closed. */
  readonly agent = new Agent({ keepAlive: true, maxFreeSockets: 64, scheduling: "lifo" });
  state: RotationState = "ready";
  up = false;
  sessions = 0;
  #requests = 0;
  #failures = 0;
  readonly #responses: Record<string, number> = {};
  /** Microseconds. */
  readonly #latency: Histogram = build({
    bitBucketSize: 32,
    highestTrackableValue: 3_600_000_000,
    numberOfSignificantValueDigits: 2,
    useWebAssembly: false,
  });

  constructor(server: { name: string; address: string }) {
    this.name = server.name;
    this.address = server.address;
    const { host, port } = splitAddress(server.address);
    this.host = host;
    this.port = port;
  }

  get available(): boolean {
    return this.state === "ready" && this.up;
  }

  /** Counts a request in; what is returned counts it out, once, however often it is called. */
  begin(): () => void {
    this.sessions++;
    this.#requests++;
    let open = true;
    return () => {
      if (open) this.sessions--;
      open = false;
    };
  }

  answered(status: number, headMs: number | null): void {
    const kind = `${Math.floor(status / 100)}xx`;
    this.#responses[kind] = (this.#responses[kind] ?? 0) + 1;
    if (headMs !== null) this.#latency.recordValue(Math.max(1, Math.round(headMs * 1000)));
  }

  failed(): void {
    this.#failures++;
  }

  /** Parts from connections that carry nothing. */
  closeIdle(): void {
    for (const sockets of Object.values(this.agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  view(): UpstreamView {
    const ms = (microseconds: number) => microseconds / 1000;
    return {
      name: this.name,
      address: this.address,
      state: this.state,
      up: this.up,
      sessions: this.sessions,
      requests: this.#requests,
      responses: { ...this.#responses },
      failures: this.#failures,
      latency: {
        count: this.#latency.totalCount,
        p50Ms: ms(this.#latency.getValueAtPercentile(50)),
        p99Ms: ms(this.#latency.getValueAtPercentile(99)),
        maxMs: ms(this.#latency.maxValue),
      },
    };
  }
}

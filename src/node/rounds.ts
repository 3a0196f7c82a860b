// What a serving node does at its own pace: heartbeats with what is under way, asking whether the database still suits its release,
// and cleaning up after dead uploads. A failing database stops none of it.
import type { StopStack } from "../core/lifecycle.ts";
import type { Logger } from "../core/logger.ts";
import type { Crew, CrewReport } from "./crew.ts";
import type { NodeSettings } from "./node-settings.ts";
import type { NodeParts, NodeState } from "./parts.ts";
import type { Heartbeat, NodeRegistry } from "./registry.ts";
import { type Repeating, repeat } from "./repeat.ts";
import { RequestSpeed } from "./request-speed.ts";
import { noTransfers } from "./transfer-summary.ts";

/** The node as it stands at the moment of asking. */
export type NodeView = {
  readonly state: NodeState;
  /** Another process serves the node; this one only finishes. */
  readonly handedOver: boolean;
  readonly settings: NodeSettings;
  readonly parts: NodeParts;
};

type Reasons = { readonly name: string | null; readonly database: string | null };

/** While a node leaves, whoever waits for it wants to see how far it is. */
const drainBeatMs = 1_000;

export class Rounds {
  readonly #crew: Crew;
  readonly #registry: NodeRegistry;
  readonly #view: () => NodeView;
  readonly #logger: () => Logger;
  readonly #speed = new RequestSpeed();
  #beats: Repeating | null = null;
  #reaper: Repeating | null = null;
  #last: CrewReport = {
    transfers: noTransfers,
    requestsInFlight: 0,
    connections: 0,
    usesDatabase: true,
    passesOn: false,
    latency: [],
  };
  #beatMs = performance.now();
  #reasons: Reasons = { name: null, database: null };

  constructor(options: { crew: Crew; registry: NodeRegistry; view: () => NodeView; logger: () => Logger }) {
    this.#crew = options.crew;
    this.#registry = options.registry;
    this.#view = options.view;
    this.#logger = options.logger;
  }

  start(stack: StopStack): void {
    const beats = repeat({
      what: "heartbeat",
      intervalMs: () => this.#heartbeatMs(),
      logger: this.#logger,
      run: async () => {
        await this.beat();
        if (this.#view().state === "serving") await this.#checkDatabase();
      },
    });
    const reaper = repeat({
      what: "cleaning up after dead uploads",
      intervalMs: () => this.#view().settings.reclaimMs,
      logger: this.#logger,
      run: async () => {
        const count = await this.#view().parts.reclaimExpiredUploads();
        if (count > 0) this.#logger().info({ count }, "uploads of dead processes were given up");
      },
    });
    this.#beats = beats;
    this.#reaper = reaper;
    stack.defer(() => beats.stop());
    stack.defer(() => reaper.stop());
    beats.soon();
    reaper.soon();
  }

  /** The next heartbeat comes at once. */
  soon(): void {
    this.#beats?.soon();
  }

  /** Another process cleans up from now on: this one may not know what the database has become by then. */
  async onlyBeats(): Promise<void> {
    await this.#reaper?.stop();
  }

  /** Resolves when no round is under way, so that nothing uses connections that a reload has replaced. */
  async idle(): Promise<void> {
    await Promise.all([this.#beats?.idle(), this.#reaper?.idle()]);
  }

  /** Why the node must be out of rotation; null: it need not. */
  get unfit(): string | null {
    return this.#reasons.name ?? this.#reasons.database;
  }

  get last(): Omit<CrewReport, "latency"> & { readonly p99Ms: number | null; readonly heartbeatAgeSeconds: number } {
    const heartbeatAgeSeconds = (performance.now() - this.#beatMs) / 1000;
    return { ...this.#last, p99Ms: this.#speed.p99Ms(), heartbeatAgeSeconds };
  }

  /** Writes the registry's row. Throws what the database says. */
  async beat(): Promise<void> {
    this.#last = await this.#crew.report();
    this.#speed.add(this.#last.latency, performance.now());
    const ours = await this.#registry.beat(this.heartbeat());
    this.#beatMs = performance.now();
    this.#judge({ name: ours ? null : `another node goes by the name ${this.#registry.name}` });
  }

  /** The node as its row tells it, as of the last report of its workers. */
  heartbeat(): Heartbeat {
    const { state, settings, handedOver } = this.#view();
    const { transfers, passesOn, usesDatabase } = this.#last;
    // Until every worker passes requests on, some may still be answered here.
    const finishing = usesDatabase ? "handed-over" : "sending";
    return {
      state: handedOver && passesOn ? finishing : state,
      release: this.#crew.release(settings.release),
      transfers,
      p99Ms: this.#speed.p99Ms(),
    };
  }

  /** The database may have moved past this release (contract), or back. */
  async #checkDatabase(): Promise<void> {
    const readiness = await this.#view().parts.readiness();
    this.#judge({ database: readiness.ready ? null : readiness.message });
  }

  #judge(reasons: Partial<Reasons>): void {
    const before = this.unfit;
    this.#reasons = { ...this.#reasons, ...reasons };
    const { unfit } = this;
    if (unfit === before) return;
    if (unfit === null) this.#logger().info("fit to serve again; back in rotation");
    else this.#logger().error({ reason: unfit }, "not fit to serve; out of rotation");
    this.#crew.tell({ do: "fit", unfit });
  }

  #heartbeatMs(): number {
    const { state, settings } = this.#view();
    return state === "draining" ? Math.min(settings.heartbeatMs, drainBeatMs) : settings.heartbeatMs;
  }
}

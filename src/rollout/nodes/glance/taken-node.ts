// A node that Glance serves from, or did: the driver of our node on its host, and that host's Glance. At most one of the two is to live;
// which one is to be started is the rollout's goal, and that one comes up when the host is started again.
import type { ReleaseId } from "../../../releases/catalogue.ts";
import type { NodeDriver, NodeObservation } from "../node-driver.ts";
import type { GlanceProcess, GlanceView } from "./glance-process.ts";

export type TakenNodeOptions = {
  /** Of our node. */
  readonly own: NodeDriver;
  readonly glance: GlanceProcess;
  /** What its Glance is, and what ours takes it over as. */
  readonly release: ReleaseId;
  /** What is to serve in the end; null: a rollout of ours, to which a Glance is a stranger. */
  readonly goal: "perennial" | "glance" | null;
};

export class TakenNode implements NodeDriver {
  readonly installMsMax?: number;
  readonly handOver?: NonNullable<NodeDriver["handOver"]>;
  readonly #options: TakenNodeOptions;
  /** By this run: that it is the same again costs little, and that something is missing would cost a start. */
  #installed = false;
  /** The ends of the connections that the Glance we stopped had. */
  #connections: readonly string[] = [];

  constructor(options: TakenNodeOptions) {
    this.#options = options;
    const { own, goal } = options;
    if (own.installMsMax !== undefined) this.installMsMax = own.installMsMax;
    if (goal === null && own.handOver) this.handOver = own.handOver.bind(own);
  }

  async observe(signal: AbortSignal): Promise<NodeObservation> {
    const [own, glance] = await this.#look(signal);
    const { release, goal } = this.#options;
    if (glance && own.process !== "gone") return { ...own, besides: glance.told };
    if (glance) return this.#glanceSeen(glance);
    if (own.process !== "gone") return own;
    const left = this.#connections.length > 0 ? { connections: this.#connections } : {};
    if (goal === null) return { ...own, ...left };
    // What our node's configuration says before it was installed is not what it will be.
    const toInstall = goal === "perennial" && !this.#installed;
    return { ...own, configRelease: goal === "glance" || toInstall ? release : own.configRelease, toInstall, ...left };
  }

  async stop(signal: AbortSignal): Promise<void> {
    const { own, glance } = this.#options;
    const [seen, living] = await this.#look(signal);
    if (!living || seen.process !== "gone") return own.stop(signal);
    this.#connections = await glance.connections(living, signal);
    await glance.stop(living, signal);
  }

  async cut(signal: AbortSignal): Promise<void> {
    const { own, glance } = this.#options;
    const [seen, living] = await this.#look(signal);
    if (!living || seen.process !== "gone") return own.cut(signal);
    await glance.cut(living, signal);
  }

  async install(release: ReleaseId, signal: AbortSignal): Promise<void> {
    const { own, glance, goal } = this.#options;
    if (goal === "glance") return;
    if (goal === "perennial") await glance.disable(signal);
    await own.install(release, signal);
    if (goal === "perennial") await own.startAtBoot?.(true, signal);
    this.#installed = true;
  }

  async start(signal: AbortSignal): Promise<void> {
    const { own, glance, goal } = this.#options;
    if (goal !== "glance") return own.start(signal);
    await own.startAtBoot?.(false, signal);
    await glance.start(signal);
  }

  #look(signal: AbortSignal): Promise<[NodeObservation, GlanceView | undefined]> {
    const { own, glance } = this.#options;
    return Promise.all([own.observe(signal), glance.observe(signal)]);
  }

  #glanceSeen({ id, told, stopping, processMs }: GlanceView): NodeObservation {
    return {
      configRelease: this.#options.release,
      process: stopping ? "stopping" : "running",
      stopUnsure: false,
      processId: `glance ${id}`,
      // The registry does not know it.
      pid: null,
      processMs,
      lastWords: null,
      software: "glance",
      told,
    };
  }
}

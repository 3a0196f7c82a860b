// What the API is told about its process: whether the node leaves, whether it is fit to serve, and the metrics of all workers.
import type { Gate } from "../api/gate.ts";

type Metrics = { readonly contentType: string; readonly body: string };

export class WorkerGate implements Gate {
  /** The node leaves, which its health check says. */
  leaving = false;
  /** This worker leaves, and others of the node stay. */
  retiring = false;
  /** Why the node must be out of rotation, as the supervisor found out; null: it need not. */
  unfit: string | null = null;
  readonly #disabledByFile: () => boolean;
  readonly #metrics: () => Promise<Metrics>;

  constructor(options: { disabledByFile: () => boolean; metrics: () => Promise<Metrics> }) {
    this.#disabledByFile = options.disabledByFile;
    this.#metrics = options.metrics;
  }

  get draining(): boolean {
    return this.leaving || this.retiring;
  }

  health(): ReturnType<Gate["health"]> {
    if (this.leaving) return { ok: false, reason: "DRAINING" };
    // First, since a node that is only disabled is one that would serve.
    if (this.unfit !== null) return { ok: false, reason: this.unfit };
    if (this.#disabledByFile()) return { ok: false, reason: "DISABLED BY FILE" };
    return { ok: true };
  }

  metrics(): Promise<Metrics> {
    return this.#metrics();
  }
}

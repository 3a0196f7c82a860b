// Chooses the server for each request: one that is in rotation, well, and has the least to do. While there is none, requests are held
// for a moment instead of being refused.
import { EventEmitter, once } from "node:events";
import type { RotationState } from "../../snapshot.ts";
import type { Upstream } from "./upstream.ts";

export class UpstreamPool {
  readonly upstreams: readonly Upstream[];
  readonly #changes = new EventEmitter().setMaxListeners(0);
  /** Where the next search begins, so that equals take turns. */
  #next = 0;

  constructor(upstreams: readonly Upstream[]) {
    this.upstreams = upstreams;
  }

  /** Waits up to `holdMsMax` for a server not in `tried`; undefined where there is none until then, or `signal` aborts. */
  async take(tried: ReadonlySet<Upstream>, holdMsMax: number, signal: AbortSignal): Promise<Upstream | undefined> {
    const found = this.#choose(tried);
    if (found || holdMsMax <= 0) return found;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(holdMsMax)]);
    while (!limit.aborted) {
      const changed = await once(this.#changes, "change", { signal: limit }).catch(() => null);
      const upstream = changed && this.#choose(tried);
      if (upstream) return upstream;
    }
    return undefined;
  }

  setState(upstream: Upstream, state: RotationState): void {
    // Out of maintenance nothing is known of it until the next check, which the checker makes at once.
    if (upstream.state === "maint" && state !== "maint") upstream.up = false;
    upstream.state = state;
    if (state !== "ready") upstream.closeIdle();
    this.#changes.emit("change");
  }

  setUp(upstream: Upstream, up: boolean): void {
    if (upstream.up === up) return;
    upstream.up = up;
    if (!up) upstream.closeIdle();
    this.#changes.emit("change");
  }

  #choose(tried: ReadonlySet<Upstream>): Upstream | undefined {
    const { length } = this.upstreams;
    let best: Upstream | undefined;
    for (let step = 0; step < length; step++) {
      const upstream = this.upstreams[(this.#next + step) % length];
      if (!upstream?.available || tried.has(upstream)) continue;
      if (!best || upstream.sessions < best.sessions) best = upstream;
    }
    if (best) this.#next = (this.upstreams.indexOf(best) + 1) % length;
    return best;
  }
}

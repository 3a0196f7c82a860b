// Asks every server's /healthcheck again and again. A server is down after `fall` failed checks in a row and up after `rise` passed ones;
// one that refuses a connection is down at once, which the forwarding tells us.
import { get } from "../../../core/node-http.ts";
import type { Upstream } from "./upstream.ts";
import type { UpstreamPool } from "./upstream-pool.ts";

/** A server that is slow to answer is busy, not dead: one that has died refuses connections. As in deploy/haproxy.cfg. */
const answerMsMax = 10_000;

export type CheckSettings = { readonly checkMs: number; readonly fall: number; readonly rise: number };

export class HealthChecker {
  readonly #pool: UpstreamPool;
  readonly #settings: CheckSettings;
  readonly #timers = new Map<Upstream, NodeJS.Timeout>();
  readonly #streaks = new Map<Upstream, { ok: boolean; count: number }>();
  #stopped = false;

  constructor(pool: UpstreamPool, settings: CheckSettings) {
    this.#pool = pool;
    this.#settings = settings;
  }

  /** Resolves when every server has been asked once; what it says then counts at once. */
  async start(): Promise<void> {
    await Promise.all(this.#pool.upstreams.map((upstream) => this.checkNow(upstream)));
  }

  /** Asks now, and goes on from there; for a server that has just left maintenance one good answer is enough. */
  async checkNow(upstream: Upstream): Promise<void> {
    clearTimeout(this.#timers.get(upstream));
    this.#streaks.delete(upstream);
    await this.#check(upstream);
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  async #check(upstream: Upstream): Promise<void> {
    const first = !this.#streaks.has(upstream);
    const ok = upstream.state !== "maint" && (await this.#ask(upstream));
    if (this.#stopped) return;
    const before = this.#streaks.get(upstream);
    const count = before?.ok === ok ? before.count + 1 : 1;
    this.#streaks.set(upstream, { ok, count });
    if (first || count >= (ok ? this.#settings.rise : this.#settings.fall)) this.#pool.setUp(upstream, ok);
    clearTimeout(this.#timers.get(upstream));
    this.#timers.set(
      upstream,
      setTimeout(() => void this.#check(upstream), this.#settings.checkMs),
    );
  }

  #ask(upstream: Upstream): Promise<boolean> {
    return new Promise((resolve) => {
      const { host, port } = upstream;
      const signal = AbortSignal.timeout(answerMsMax);
      const request = get({ host, port, path: "/healthcheck", agent: false, signal }, (response) => {
        // A body cut short after a good status line is no good answer.
        response.on("end", () => resolve(response.statusCode === 200)).on("error", () => resolve(false));
        response.resume();
      });
      request.on("error", () => resolve(false));
    });
  }
}

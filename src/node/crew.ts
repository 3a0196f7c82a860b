// All workers of a node: the pool that serves and, after reloads, older ones that still finish. What the node says to its workers,
// and what they report, goes through here.
import type { ReleaseId } from "../releases/catalogue.ts";
import { oldestOf } from "./registry.ts";
import { mergeSummaries, type TransferSummary } from "./transfer-summary.ts";
import type { WorkerPool } from "./worker-pool.ts";
import type { ToWorker, WorkerMetrics, WorkerReport } from "./worker-protocol.ts";

type Member = { readonly pool: WorkerPool; readonly release: ReleaseId };

export type CrewReport = {
  readonly transfers: TransferSummary;
  readonly requestsInFlight: number;
  readonly connections: number;
  /** Some worker may still read or write the database, or did not say. */
  readonly usesDatabase: boolean;
  /** Every worker passes on what comes from now on. */
  readonly passesOn: boolean;
  readonly latency: readonly WorkerReport["latency"][];
};

export class Crew {
  readonly #members = new Set<Member>();

  /** Counted from before its first worker starts until its last one has ended. */
  add(pool: WorkerPool, release: ReleaseId): void {
    this.#members.add({ pool, release });
  }

  /** After its last worker ended. */
  remove(pool: WorkerPool): void {
    for (const member of this.#members) if (member.pool === pool) this.#members.delete(member);
  }

  get workers(): number {
    return this.#sum((pool) => pool.size);
  }

  get replaced(): number {
    return this.#sum((pool) => pool.replaced);
  }

  /** The oldest release that any worker speaks; `otherwise` where there is none. */
  release(otherwise: ReleaseId): ReleaseId {
    const [first = otherwise, ...more] = [...this.#members].map((member) => member.release);
    return oldestOf([first, ...more]);
  }

  tell(message: ToWorker): void {
    for (const { pool } of this.#members) pool.tell(message);
  }

  async leave(how: "close" | "hand-over" | "cut"): Promise<void> {
    await this.#each((pool) => pool.leave(how));
  }

  async ended(): Promise<void> {
    await this.#each((pool) => pool.ended());
  }

  async kill(): Promise<void> {
    await this.#each((pool) => pool.kill());
  }

  async metrics(): Promise<readonly WorkerMetrics[]> {
    return (await this.#each((pool) => pool.metrics())).flat();
  }

  async report(): Promise<CrewReport> {
    const answers = (await this.#each((pool) => pool.reports())).flat();
    const reports = answers.filter((report) => report !== null);
    const silent = reports.length < answers.length;
    return {
      usesDatabase: silent || reports.some((report) => report.usesDatabase),
      passesOn: !silent && reports.every((report) => report.passesOn),
      transfers: mergeSummaries(reports.map((report) => report.transfers)),
      requestsInFlight: reports.reduce((sum, report) => sum + report.requestsInFlight, 0),
      connections: reports.reduce((sum, report) => sum + report.connections, 0),
      latency: reports.map((report) => report.latency),
    };
  }

  #each<T>(ask: (pool: WorkerPool) => Promise<T>): Promise<T[]> {
    return Promise.all([...this.#members].map(({ pool }) => ask(pool)));
  }

  #sum(count: (pool: WorkerPool) => number): number {
    return [...this.#members].reduce((sum, { pool }) => sum + count(pool), 0);
  }
}

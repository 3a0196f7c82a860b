// Proves before contract that older nodes are gone. Heartbeats are written and read by the database's clock, so the clocks of the nodes do
// not matter; but where the database's own clock was set, those that live look dead, or those that died seem to have been there a moment
// ago, until each has had the time for one more heartbeat. So whose heartbeat is in doubt is watched for that long.
import { systemClock } from "../../core/clock.ts";
import type { Release } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { isOlder, type LiveNode, olderNodes } from "./contract-blockers.ts";
import type { EngineRun } from "./engine-run.ts";
import { nodeLiveSeconds } from "./own-tables.ts";
import { presentTables } from "./schema-tools.ts";

/** A heartbeat that is ahead of the clock by more than servers of one cluster differ. */
const aheadSecondsMin = 5;
/** `heartbeat_seconds` of a node is at most 10. */
const watchMs = 12_000;
const lookEveryMs = 500;

/** Did not say that it stops, and its last heartbeat is old, or from the future. */
type Doubtful = { readonly name: string; readonly release: string; readonly beat: string; readonly seconds: number };

export class OlderNodes {
  readonly #db: Database;
  readonly #target: Release;
  readonly #watchMs: number;
  /** Heartbeats that nobody renewed while we watched. */
  readonly #gone = new Set<string>();

  constructor({ db, target, nodeWatchMs = watchMs }: Pick<EngineRun, "db" | "target" | "nodeWatchMs">) {
    this.#db = db;
    this.#target = target;
    this.#watchMs = nodeWatchMs;
  }

  /** Those that live. Takes some seconds where a heartbeat is in doubt, once for each; `tell` says for whom. */
  async living(tell: (text: string) => void, signal: AbortSignal): Promise<readonly LiveNode[]> {
    const watched = (await this.#doubtful()).filter((node) => !this.#gone.has(key(node)));
    if (watched.length === 0) return this.#notGone();
    tell(
      `waits for ${this.#watchMs / 1_000} s to see whether these nodes are really gone: ${watched.map(describe).join(", ")}`,
    );
    for (const endMs = performance.now() + this.#watchMs; performance.now() < endMs; ) {
      await systemClock.sleep(lookEveryMs, signal);
      const silent = new Set((await this.#doubtful()).map(key));
      if (watched.every((node) => silent.has(key(node)))) continue;
      // One that has beaten is among the living now, unless it beat for the last time.
      const living = (await olderNodes(this.#db, this.#target)).filter(({ name }) =>
        watched.every((node) => node.name !== name || !silent.has(key(node))),
      );
      if (living.length > 0) return living;
    }
    const silent = new Set((await this.#doubtful()).map(key));
    for (const node of watched) if (silent.has(key(node))) this.#gone.add(key(node));
    return this.#notGone();
  }

  /** A heartbeat from the future looks like one of this moment. */
  async #notGone(): Promise<readonly LiveNode[]> {
    const gone = new Set((await this.#doubtful()).filter((node) => this.#gone.has(key(node))).map(({ name }) => name));
    return (await olderNodes(this.#db, this.#target)).filter(({ name }) => !gone.has(name));
  }

  async #doubtful(): Promise<readonly Doubtful[]> {
    if (!(await presentTables(this.#db)).has("perennial_nodes")) return [];
    const since = this.#db.dialect.secondsSinceSql("heartbeat_at");
    const rows = await this.#db.query<{ name: string; release_id: string; beat: string; s: unknown }>(
      `SELECT name, release_id, heartbeat_at AS beat, ${since} AS s FROM perennial_nodes
       WHERE state <> 'stopped' AND (${since} >= ${nodeLiveSeconds} OR ${since} < ${-aheadSecondsMin}) ORDER BY name`,
    );
    return rows
      .filter((row) => isOlder(row.release_id, this.#target))
      .map(({ name, release_id, beat, s }) => ({ name, release: release_id, beat, seconds: Math.round(Number(s)) }));
  }
}

function key({ name, beat }: Doubtful): string {
  return `${name} ${beat}`;
}

function describe({ name, release, seconds }: Doubtful): string {
  const when = seconds < 0 ? `${-seconds} s ahead of the database's clock` : `${seconds} s ago`;
  return `${name} (${release}, last heartbeat ${when})`;
}

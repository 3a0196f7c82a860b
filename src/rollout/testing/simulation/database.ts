// The simulated database: the schema's state, the lease, the journal's copy and the operator's requests. It is away at times, it is slow
// at times, and at times it does what it was asked and the answer is lost.
import { ServiceError } from "../../../core/errors.ts";
import type { StoredEntry } from "../../../db/repositories/rollout-journal-repository.ts";
import {
  type LeaseRow,
  leaseLost,
  type RolloutLeaseRepository,
} from "../../../db/repositories/rollout-lease-repository.ts";
import { type ReleaseId, releaseOf } from "../../../releases/catalogue.ts";
import type { JournalStore } from "../../journal-store.ts";
import type { HeldLease } from "../../lease.ts";
import type { OperatorRequest, SchemaDue } from "../../snapshot.ts";
import type { SimulatedProcess, VirtualTime } from "./virtual-time.ts";

export class SimulatedDatabase {
  isExpanded: boolean;
  isMigrated: boolean;
  /** What older nodes wrote since, and waits for migration again, newer nodes can read. */
  wasMigrated: boolean;
  hasContractBegun = false;
  isContracted: boolean;
  hasBackup = false;
  /** A run of the schema engine that is under way. */
  engineUntilMs = 0;
  request: OperatorRequest | null = null;
  lease: (LeaseRow & { readonly expiresAtMs: number }) | undefined;
  readonly rollouts = new Map<string, StoredEntry[]>();
  awayUntilMs = 0;
  slowUntilMs = 0;
  /** Numbers of the writes whose answer is lost. */
  readonly lostAnswers = new Set<number>();
  readonly #from: ReleaseId;
  readonly #target: ReleaseId;
  readonly #time: VirtualTime;
  #writes = 0;

  constructor(from: ReleaseId, target: ReleaseId, time: VirtualTime) {
    this.#from = from;
    this.#target = target;
    this.#time = time;
    this.isExpanded =
      this.isMigrated =
      this.wasMigrated =
      this.isContracted =
        releaseOf(from).level === releaseOf(target).level;
  }

  due(way: "forward" | "back"): SchemaDue {
    if (releaseOf(this.#from).level === releaseOf(this.#target).level) return "nothing";
    if (way === "back") return this.hasContractBegun ? "closed" : this.isExpanded ? "revert" : "nothing";
    if (!this.isExpanded) return "expand";
    if (!this.isMigrated) return "migrate";
    return this.isContracted ? "nothing" : "contract";
  }

  /** What a node's start guard lets it run as. */
  fits(release: ReleaseId): boolean {
    const levelOf = (id: ReleaseId) => releaseOf(id).level;
    const low = levelOf(this.hasContractBegun ? this.#target : this.#from);
    const high = levelOf(this.isExpanded && this.wasMigrated ? this.#target : this.#from);
    return levelOf(release) >= low && levelOf(release) <= high;
  }

  async read<T>(process: SimulatedProcess, ask: () => T): Promise<T> {
    await this.#reach(process);
    return ask();
  }

  async write<T>(process: SimulatedProcess, change: () => T): Promise<T> {
    await this.#reach(process);
    const result = change();
    const isLost = this.lostAnswers.has(this.#writes++);
    await process.sleep(1);
    if (isLost) throw new ServiceError("db.unreachable", "the connection to the database was lost");
    return result;
  }

  async #reach(process: SimulatedProcess): Promise<void> {
    await process.sleep(this.#time.nowMs < this.slowUntilMs ? 2_500 : 1);
    if (this.#time.nowMs < this.awayUntilMs) throw new ServiceError("db.unreachable", "the database cannot be reached");
  }

  leases(process: SimulatedProcess): RolloutLeaseRepository {
    const isHeld = ({ holder, fence }: HeldLease) => this.lease?.holder === holder && this.lease.fence === fence;
    const until = (seconds: number) => this.#time.nowMs + seconds * 1_000;
    const renewed = (row: LeaseRow, expiresAtMs: number) => ({ ...row, renewals: row.renewals + 1, expiresAtMs });
    return {
      find: () =>
        this.read(process, () => this.lease && { ...this.lease, expired: this.lease.expiresAtMs <= this.#time.nowMs }),
      take: (claim, from, seconds) =>
        this.write(process, () => {
          const { lease } = this;
          const isSame = lease?.fence === from?.fence && lease?.holder === from?.holder;
          if (!isSame || lease?.renewals !== from?.renewals) return undefined;
          const fence = (lease?.fence ?? 0) + 1;
          this.lease = { ...claim, fence, renewals: lease?.renewals ?? 0, expired: false, expiresAtMs: until(seconds) };
          return fence;
        }),
      renew: (held, seconds) =>
        this.write(process, () => {
          if (!this.lease || !isHeld(held)) return false;
          this.lease = renewed(this.lease, until(seconds));
          return true;
        }),
      release: (held) =>
        this.write(process, () => {
          if (this.lease && isHeld(held)) this.lease = renewed(this.lease, this.#time.nowMs);
        }),
    };
  }

  journals(process: SimulatedProcess, held: HeldLease): JournalStore {
    return {
      list: () =>
        this.read(process, () =>
          [...this.rollouts].map(([rolloutId, entries]) => {
            const [first = "", last = ""] = [entries[0]?.entry, entries.at(-1)?.entry];
            return { rolloutId, entries: entries.length, first, last };
          }),
        ),
      read: (rolloutId) => this.read(process, () => [...(this.rollouts.get(rolloutId) ?? [])]),
      add: (rolloutId, added) =>
        this.write(process, () => {
          if (this.lease?.holder !== held.holder || this.lease.fence !== held.fence)
            throw leaseLost(this.lease?.told ?? "nobody");
          const entries = this.rollouts.get(rolloutId) ?? [];
          for (const line of added) {
            const there = entries[line.seq - 1];
            if (there && there.hash !== line.hash)
              throw new ServiceError("rollout.journal_broken", `entry ${line.seq} says something else`);
            if (!there) entries.push(line);
          }
          this.rollouts.set(rolloutId, entries);
        }),
    };
  }
}

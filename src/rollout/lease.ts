// The right to act on a fleet, wherever a rollout is run: a row of the database with a fence. It is renewed while the run lives. A run
// that cannot renew it stops acting before anybody else may take it; one that was replaced never acts again.
//
//   free or expired --take--> held --renew every 5 s--> held --(20 s without an answer)--> unsure --(renewed)--> held
//   held or unsure --(somebody else's fence)--> lost, for good
import { randomUUID } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import type { Clock } from "../core/clock.ts";
import { isServiceError, ServiceError } from "../core/errors.ts";
import {
  type LeaseClaim,
  type LeaseRow,
  leaseLost,
  type RolloutLeaseRepository,
} from "../db/repositories/rollout-lease-repository.ts";

/** By the database's clock, which counts in seconds. */
export const leaseSeconds = 30;
const renewEveryMs = 5_000;
/** Without an answer for this long, by our own clock, we stop. What is left of the lease covers an act that is ending. */
const unsureMs = 20_000;
const takePollMs = 500;

export type HeldLease = { readonly holder: string; readonly fence: number };

export type TakeOptions = {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Absent: this process. */
  readonly claim?: LeaseClaim;
  /** Told once when the lease of somebody who seems to be gone is waited for. */
  readonly onWait?: (told: string) => void;
  /** Calls `work` again and again until what it returns is called. Absent: by a timer that keeps no process alive. */
  readonly every?: Every;
};
export type Every = (ms: number, work: () => void) => () => void;

const everyByTimer: Every = (ms, work) => {
  const timer = setInterval(work, ms).unref();
  return () => clearInterval(timer);
};

export class RolloutLease {
  readonly held: HeldLease;
  readonly #repository: RolloutLeaseRepository;
  readonly #clock: Clock;
  readonly #lost = new AbortController();
  #unsure = new AbortController();
  #confirmedMs: number;
  readonly #endBeats: () => void;
  #renewing: Promise<void> | null = null;

  private constructor(repository: RolloutLeaseRepository, of: TakeOptions, held: HeldLease, confirmedMs: number) {
    this.#repository = repository;
    this.#clock = of.clock;
    this.held = held;
    this.#confirmedMs = confirmedMs;
    this.#endBeats = (of.every ?? everyByTimer)(renewEveryMs, () => this.beat());
  }

  /**
   * Takes the lease, also from a process of this host that is surely dead. One that may live is waited for until its lease is over, and
   * where it is renewed meanwhile this throws schema.locked, naming the holder.
   */
  static async take(repository: RolloutLeaseRepository, options: TakeOptions): Promise<RolloutLease> {
    const { clock, signal, claim = ownClaim() } = options;
    let watched: LeaseRow | undefined;
    for (;;) {
      const askedMs = clock.monotonicMs();
      const found = await repository.find();
      if (!found || found.expired || isDeadHere(found)) {
        const fence = await repository.take(claim, found, leaseSeconds);
        if (fence !== undefined) return new RolloutLease(repository, options, { holder: claim.holder, fence }, askedMs);
      } else if (watched && (watched.renewals !== found.renewals || watched.holder !== found.holder)) {
        throw lockedBy(found.told);
      } else if (!watched) {
        watched = found;
        options.onWait?.(found.told);
      }
      await clock.sleep(takePollMs, signal);
    }
  }

  /** Aborts when another run has taken over. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Aborts, with the reason, when acting has to stop: for good, or until the lease is confirmed again. */
  get mayAct(): AbortSignal {
    return AbortSignal.any([this.#lost.signal, this.#unsure.signal]);
  }

  /**
   * Asks the database, unless it said so less than `freshMs` ago. Throws rollout.lease_lost, and db.unreachable and the like, where
   * nothing may be done now.
   */
  async confirm(freshMs = 0): Promise<void> {
    this.#lost.signal.throwIfAborted();
    if (this.#clock.monotonicMs() - this.#confirmedMs < freshMs) return;
    const askedMs = this.#clock.monotonicMs();
    if (await this.#repository.renew(this.held, leaseSeconds)) {
      this.#confirmedMs = Math.max(this.#confirmedMs, askedMs);
      if (this.#unsure.signal.aborted) this.#unsure = new AbortController();
      return;
    }
    const row = await this.#repository.find();
    const error = leaseLost(row?.told ?? "somebody who removed the lease");
    this.#lost.abort(error);
    throw error;
  }

  /** Gives it back, so that the next run need not wait. Safe to call twice. */
  async release(): Promise<void> {
    this.#endBeats();
    await this.#renewing;
    if (!this.#lost.signal.aborted) await this.#repository.release(this.held);
  }

  /** A sign of life, now and then; stops us where the last one is too long ago. */
  beat(): void {
    if (this.#clock.monotonicMs() - this.#confirmedMs > unsureMs && !this.#unsure.signal.aborted) {
      const message = "the rollout's lease cannot be renewed, so nothing is done until it is";
      this.#unsure.abort(new ServiceError("db.unreachable", message));
    }
    this.#renewing ??= this.confirm()
      // Whoever acts next asks again, and hears of it.
      .catch((error: unknown) => {
        if (!isServiceError(error)) throw error;
      })
      .finally(() => {
        this.#renewing = null;
      });
  }
}

export function lockedBy(told: string): ServiceError {
  const message = `another rollout on this database is under way (${told}); follow it with glance-rollout status`;
  return new ServiceError("schema.locked", message, { facts: { holder: told } });
}

/** This process, as the lease names it. */
export function ownClaim(): LeaseClaim {
  const since = new Date().toISOString().replace(/\.\d+/, "");
  const start = startOf(process.pid);
  return {
    holder: randomUUID(),
    process: `${process.pid} ${typeof start === "string" ? start : "?"} ${hostId()}`,
    told: `process ${process.pid} on ${hostname()}, since ${since}`.slice(0, 255),
  };
}

/** Surely dead: it was a process of this host, since its last boot, and its id is free or another process's by now. */
export function isDeadHere({ process: text }: LeaseRow): boolean {
  const [pid = "", start = "?", ...host] = text.split(" ");
  const here = hostId();
  if (start === "?" || here === "?" || host.join(" ") !== here) return false;
  const now = startOf(Number(pid));
  return now !== "hidden" && now !== start;
}

/** Host, boot and process namespace: in another of either the same id is another process. `?` where /proc does not say. */
function hostId(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${hostname()} ${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    // Not Linux, or no /proc: then nobody is known to be dead, and leases are waited for.
    return "?";
  }
}

/** When the process began, in ticks since the boot; null where it has ended, collected or not; `hidden` where it lives and cannot be read. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state = "", ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" || state === "X" ? null : (fields[18] ?? "hidden");
  } catch {
    return isThere(pid) ? "hidden" : null;
  }
}

/** A process of another user may be invisible in /proc, yet its id is taken. */
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

// What a rollout sees of the database: which phase is due, which nodes the registry has, and whether another rollout works on it.
// The connection is opened when it is first needed, and every look has a deadline.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import type { Clock } from "../core/clock.ts";
import { isServiceError, ServiceError } from "../core/errors.ts";
import { openDatabase } from "../db/connect.ts";
import type { AdvisoryLock, Database } from "../db/database.ts";
import { createGlanceRepository, type GlanceRepository } from "../db/repositories/glance-repository.ts";
import { createNodeRepository, nodeBesides, type SeenNode } from "../db/repositories/node-repository.ts";
import { createRolloutJournalRepository } from "../db/repositories/rollout-journal-repository.ts";
import { createRolloutLeaseRepository } from "../db/repositories/rollout-lease-repository.ts";
import { createRolloutRequestRepository } from "../db/repositories/rollout-request-repository.ts";
import {
  createRolloutSampleRepository,
  type RolloutSampleRepository,
} from "../db/repositories/rollout-sample-repository.ts";
import { check, readVersion } from "../db/schema/check.ts";
import { type LiveNode, liveNodes, olderNodes, unknownConnections } from "../db/schema/contract-blockers.ts";
import { ensureTables } from "../db/schema/own-tables.ts";
import { wayBackTo } from "../db/schema/revert.ts";
import { rolloutTables } from "../db/schema/rollout-tables.ts";
import { presentTables } from "../db/schema/schema-tools.ts";
import { parseDatabaseUrl } from "../db/url.ts";
import { isReleaseId, type Release, type ReleaseId, releaseOf } from "../releases/catalogue.ts";
import { withDeadline } from "./deadline.ts";
import type { Plan } from "./decide.ts";
import type { JournalStore } from "./journal-store.ts";
import { isDeadHere, lockedBy, RolloutLease } from "./lease.ts";
import type { SchemaDue, Snapshot } from "./snapshot.ts";

const lookMsMax = 15_000;
/** The schema is asked in full only this often: nobody but this rollout is to change it. */
const dueFreshMs = 2_000;
const lockName = "perennial-rollout";
/** Looks come several times a second; the lease is renewed by itself, and asked for again before each act. */
const heldFreshMs = 2_000;

type Due = { readonly due: SchemaDue; readonly contracted: ReleaseId | null };

export type DatabaseSight = {
  readonly due: SchemaDue;
  /** Where it is known: the newest release the database is contracted to. */
  readonly contracted: ReleaseId | null;
  readonly rows: readonly SeenNode[];
  readonly strangers: Snapshot["strangers"];
  readonly request: Snapshot["request"];
};

export type DatabaseViewOptions = {
  readonly url: string;
  readonly way: Plan["way"];
  readonly target: Release;
  readonly clock: Clock;
  /** Told whose lease is waited for. */
  readonly onWait?: (told: string) => void;
};

export class DatabaseView {
  readonly #options: DatabaseViewOptions;
  #opening: Promise<Database> | null = null;
  #lock: AdvisoryLock | null = null;
  #lease: RolloutLease | null = null;
  #due: { value: Due; atMs: number } | null = null;

  constructor(options: DatabaseViewOptions) {
    this.#options = options;
  }

  /** Throws db.unreachable, db.access_denied, config.invalid. */
  async open(signal: AbortSignal): Promise<Database> {
    this.#opening ??= openExisting(this.#options.url).catch((error: unknown) => {
      // The next look tries again.
      this.#opening = null;
      throw error;
    });
    const opening = this.#opening;
    return withDeadline("reaching the database", lookMsMax, signal, () => opening, "db.unreachable");
  }

  /**
   * Becomes the one rollout that may act here, or makes sure that it still is. A lock that dies with its connection tells at once
   * that another rollout lives; the lease tells it across lost connections and nodes of a cluster. Throws schema.locked, naming the
   * holder, and rollout.lease_lost.
   */
  async hold(signal: AbortSignal): Promise<void> {
    const db = await this.open(signal);
    if (this.#lease) {
      await withDeadline("renewing the lease", lookMsMax, signal, () => this.#confirm(heldFreshMs), "db.unreachable");
    } else {
      // Our tables are made in an image service's database only.
      await withDeadline("looking at the database", lookMsMax, signal, () => this.#lookDue(db), "db.unreachable");
    }
    if (!this.#lock || this.#lock.lost.aborted) {
      this.#lock = await this.#takeLock(db, signal).catch((error: unknown) => {
        // With the lease nobody else acts; the server may not have noticed yet that the connection with our lock is gone.
        if (this.#lease && isServiceError(error, "schema.locked")) return null;
        throw error;
      });
    }
    if (this.#lease) return;
    await ensureTables(db, rolloutTables);
    const { clock, onWait } = this.#options;
    this.#lease = await RolloutLease.take(createRolloutLeaseRepository(db), {
      clock,
      signal,
      ...(onWait && { onWait }),
    });
  }

  /** Right before an act. Returns a signal that aborts when acting has to stop. Throws rollout.lease_lost. */
  async confirmHeld(signal: AbortSignal): Promise<AbortSignal> {
    await withDeadline("renewing the lease", lookMsMax, signal, () => this.#confirm(0), "db.unreachable");
    assert(this.#lease, "a rollout holds its lease before it acts");
    return this.#lease.mayAct;
  }

  /** Who has the fleet now, for people; undefined where nobody does. Takes no lease. */
  async holder(signal: AbortSignal): Promise<string | undefined> {
    const db = await this.open(signal);
    if (!(await presentTables(db)).has("perennial_rollout_lease")) return undefined;
    const lease = await createRolloutLeaseRepository(db).find();
    return lease && !lease.expired && !isDeadHere(lease) ? lease.told : undefined;
  }

  /** The journals in this database. Adding to them needs the lease. */
  journalStore(): JournalStore {
    const repository = async () => createRolloutJournalRepository(await this.open(new AbortController().signal));
    return {
      list: async () => (await repository()).list(),
      read: async (rolloutId, after) => (await repository()).read(rolloutId, after),
      add: async (rolloutId, entries) => {
        assert(this.#lease, "a rollout holds its lease before it writes");
        await (await repository()).add(rolloutId, entries, this.#lease.held);
      },
    };
  }

  /** What was seen of fleets; needs no lease. */
  async sampleStore(signal: AbortSignal): Promise<RolloutSampleRepository> {
    return createRolloutSampleRepository(await this.open(signal));
  }

  /** The registry alone: no rows where it is missing. */
  async nodeRows(signal: AbortSignal): Promise<readonly SeenNode[]> {
    const db = await this.open(signal);
    return (await presentTables(db)).has("perennial_nodes") ? createNodeRepository(db).list() : [];
  }

  /** Throws db.unreachable and the like, and schema.unknown_revision. */
  async look(signal: AbortSignal): Promise<DatabaseSight> {
    const db = await this.open(signal);
    return withDeadline(
      "looking at the database",
      lookMsMax,
      signal,
      async () => {
        const { due, contracted } = await this.#lookDue(db);
        const rows = await this.nodeRows(signal);
        const strangers = (await this.#strangers(db)).map(({ name, release, secondsAgo }) => ({
          name,
          release,
          heartbeatAgeSeconds: secondsAgo,
          leaves: nodeBesides(name) ?? null,
        }));
        const request = (await createRolloutRequestRepository(db).find()) ?? null;
        return { due, contracted, rows, strangers, request };
      },
      "db.unreachable",
    );
  }

  /** Of nodes of Glance. Throws db.unreachable and the like. */
  async glances(signal: AbortSignal): Promise<GlanceRepository> {
    return createGlanceRepository(await this.open(signal));
  }

  /** One line per host whose connections no live node explains. */
  async unknownConnections(signal: AbortSignal): Promise<readonly string[]> {
    return unknownConnections(await this.open(signal));
  }

  /** After a phase has run. */
  forgetDue(): void {
    this.#due = null;
  }

  /** Safe to call twice. */
  async close(): Promise<void> {
    const [lock, lease, opening] = [this.#lock, this.#lease, this.#opening];
    this.#lock = null;
    this.#lease = null;
    this.#opening = null;
    // Where it cannot be given back it expires.
    await lease?.release().catch((error: unknown) => {
      if (!isServiceError(error)) throw error;
    });
    // A lock whose connection is gone is free already.
    await lock?.release().catch((error: unknown) => {
      if (!isServiceError(error)) throw error;
    });
    await opening?.then(
      (db) => db.close(),
      () => undefined,
    );
  }

  async #confirm(freshMs: number): Promise<void> {
    await this.#lease?.confirm(freshMs);
  }

  async #takeLock(db: Database, signal: AbortSignal): Promise<AdvisoryLock> {
    try {
      const take = () => db.acquireLock(lockName, 0);
      return await withDeadline("locking the database", lookMsMax, signal, take, "db.unreachable");
    } catch (error) {
      if (!isServiceError(error, "schema.locked")) throw error;
      const holder = (await presentTables(db)).has("perennial_rollout_lease")
        ? await createRolloutLeaseRepository(db).find()
        : undefined;
      throw holder ? lockedBy(holder.told) : error;
    }
  }

  async #askDue(db: Database): Promise<Due> {
    const { way, target } = this.#options;
    if (way === "forward") {
      const { due, contracted } = await check(db, target).catch((error: unknown) => Promise.reject(this.#told(error)));
      return { due, contracted: contracted !== null && isReleaseId(contracted) ? contracted : null };
    }
    const back = await wayBackTo(db, target);
    return { due: back === "open" ? "revert" : back === "done" ? "nothing" : "closed", contracted: null };
  }

  /** A rollout that has begun was not past its target: somebody else took the database there. */
  #told(error: unknown): unknown {
    if (!this.#lease || !isServiceError(error, "schema.out_of_order")) return error;
    const { id } = this.#options.target;
    const message = `somebody ran db sync or db contract of a newer release while this rollout to ${id} is under way: ${error.message}. See to it that nobody does so again; glance-rollout run with that release as the fleet file's target goes on with the nodes`;
    return new ServiceError("schema.out_of_order", message, { facts: { target: id }, cause: error });
  }

  /** A node whose release this package does not know counts as one that would be broken, whichever the way. */
  async #strangers(db: Database): Promise<readonly LiveNode[]> {
    const { way, target } = this.#options;
    if (way === "forward") return olderNodes(db, target);
    const orderOf = (id: string) => (isReleaseId(id) ? releaseOf(id).order : Number.POSITIVE_INFINITY);
    return (await liveNodes(db)).filter((node) => orderOf(node.release) > target.order);
  }

  async #lookDue(db: Database): Promise<Due> {
    const nowMs = performance.now();
    if (!this.#due || nowMs - this.#due.atMs > dueFreshMs) {
      const { heads } = await readVersion(db);
      if (heads.length === 0) {
        const message =
          "the database has no revision, so it is none of the image service's; see glance-manage db version";
        throw new ServiceError("schema.unknown_revision", message);
      }
      this.#due = { value: await this.#askDue(db), atMs: nowMs };
    }
    return this.#due.value;
  }
}

/** A rollout is of a database that exists: opening a SQLite file would create it. */
async function openExisting(url: string): Promise<Database> {
  const parsed = parseDatabaseUrl(url);
  if (parsed.dialect === "sqlite" && !existsSync(parsed.path)) {
    throw new ServiceError(
      "db.unreachable",
      `the database ${parsed.display} does not exist; correct the fleet file's database`,
    );
  }
  return openDatabase(url);
}

// What a rollout sees of the database: which phase is due, which nodes the registry has, and whether another rollout works on it.
// The connection is opened when it is first needed, and every look has a deadline.
import { existsSync } from "node:fs";
import { isServiceError, ServiceError } from "../core/errors.ts";
import { openDatabase } from "../db/connect.ts";
import type { AdvisoryLock, Database } from "../db/database.ts";
import { createNodeRepository, type SeenNode } from "../db/repositories/node-repository.ts";
import { check } from "../db/schema/check.ts";
import { olderNodes } from "../db/schema/contract-blockers.ts";
import { presentTables } from "../db/schema/schema-tools.ts";
import { parseDatabaseUrl } from "../db/url.ts";
import type { Release } from "../releases/catalogue.ts";
import { withDeadline } from "./deadline.ts";
import type { SchemaDue, Snapshot } from "./snapshot.ts";

const lookMsMax = 15_000;
/** The schema is asked in full only this often: nobody but this rollout is to change it. */
const dueFreshMs = 2_000;
const lockName = "perennial-rollout";

export type DatabaseSight = {
  readonly due: SchemaDue;
  readonly rows: readonly SeenNode[];
  readonly strangers: Snapshot["strangers"];
};

export class DatabaseView {
  readonly #url: string;
  readonly #target: Release;
  #opening: Promise<Database> | null = null;
  #lock: AdvisoryLock | null = null;
  #due: { value: SchemaDue; atMs: number } | null = null;

  constructor(url: string, target: Release) {
    this.#url = url;
    this.#target = target;
  }

  /** Throws db.unreachable, db.access_denied, config.invalid. */
  async open(signal: AbortSignal): Promise<Database> {
    this.#opening ??= openExisting(this.#url).catch((error: unknown) => {
      // The next look tries again.
      this.#opening = null;
      throw error;
    });
    const opening = this.#opening;
    return withDeadline("reaching the database", lookMsMax, signal, () => opening, "db.unreachable");
  }

  /** Takes the lock that only one rollout on this database has, and takes it again where the connection was lost. Throws schema.locked. */
  async hold(signal: AbortSignal): Promise<void> {
    if (this.#lock && !this.#lock.lost.aborted) return;
    const db = await this.open(signal);
    this.#lock = await withDeadline(
      "locking the database",
      lookMsMax,
      signal,
      () => db.acquireLock(lockName, 0),
      "db.unreachable",
    );
  }

  /** Throws db.unreachable and the like, and schema.unknown_revision. */
  async look(signal: AbortSignal): Promise<DatabaseSight> {
    const db = await this.open(signal);
    return withDeadline(
      "looking at the database",
      lookMsMax,
      signal,
      async () => {
        const due = await this.#lookDue(db);
        const rows = (await presentTables(db)).has("perennial_nodes") ? await createNodeRepository(db).list() : [];
        const older = await olderNodes(db, this.#target);
        const strangers = older.map(({ name, release, secondsAgo }) => ({
          name,
          release,
          heartbeatAgeSeconds: secondsAgo,
        }));
        return { due, rows, strangers };
      },
      "db.unreachable",
    );
  }

  /** After a phase has run. */
  forgetDue(): void {
    this.#due = null;
  }

  /** Safe to call twice. */
  async close(): Promise<void> {
    const [lock, opening] = [this.#lock, this.#opening];
    this.#lock = null;
    this.#opening = null;
    // A lock whose connection is gone is free already.
    await lock?.release().catch((error: unknown) => {
      if (!isServiceError(error)) throw error;
    });
    await opening?.then(
      (db) => db.close(),
      () => undefined,
    );
  }

  async #lookDue(db: Database): Promise<SchemaDue> {
    const nowMs = performance.now();
    if (!this.#due || nowMs - this.#due.atMs > dueFreshMs) {
      const { due, heads } = await check(db, this.#target);
      if (heads.length === 0) {
        const message =
          "the database has no revision, so it is none of the image service's; see glance-manage db version";
        throw new ServiceError("schema.unknown_revision", message);
      }
      this.#due = { value: due, atMs: nowMs };
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

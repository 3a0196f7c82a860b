// All phases under writers of both releases: no statement fails, no member is lost to Ocata, and what a node wrote stays as it wrote it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { eventually } from "../../../test/servers/eventually.ts";
import { systemClock } from "../../core/clock.ts";
import { errorText } from "../../core/errors.ts";
import { releaseOf } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { contract } from "./contract.ts";
import { expand } from "./expand.ts";
import { migrate } from "./migrate.ts";
import { addMember, fillNewton, idOf } from "./testing/rows.ts";
import { verify } from "./verify.ts";

const ocata = releaseOf("ocata");
const rows = 1_500;

type Writer = { readonly statements: number; readonly failures: readonly string[]; stop(): Promise<void> };

/** Runs `write` again and again until it is stopped, with a small pause, as a client would. */
function startWriter(write: (turn: number) => Promise<void>): Writer {
  const state = { running: true, statements: 0, failures: [] as string[] };
  const done = (async () => {
    for (let turn = 0; state.running; turn++) {
      try {
        await write(turn);
        state.statements++;
      } catch (error) {
        state.failures.push(errorText(error));
      }
      await systemClock.sleep(1);
    }
  })();
  return {
    get statements() {
      return state.statements;
    },
    failures: state.failures,
    async stop() {
      state.running = false;
      await done;
    },
  };
}

const base = "status, created_at, deleted, min_disk, min_ram, protected";
const baseValues = "'active', '2016-10-01 00:00:00', FALSE, 0, 0, FALSE";

/** As Newton nodes write: is_public always, visibility never; members without a look at the image's row. */
function newtonWriters(db: Database, withMembers: Set<string>): readonly Writer[] {
  return [
    startWriter((turn) =>
      db
        .run(`INSERT INTO images (id, is_public, ${base}) VALUES (?, ?, ${baseValues})`, [randomUUID(), turn % 2])
        .then(),
    ),
    startWriter((turn) =>
      db.run("UPDATE images SET is_public = is_public, size = ? WHERE id = ?", [turn, idOf((turn * 7) % rows)]).then(),
    ),
    startWriter(async (turn) => {
      const n = (turn * 13) % rows;
      if (n % 5 === 0) return;
      await addMember(db, idOf(n), true, `blue-${turn}`);
      withMembers.add(idOf(n));
    }),
    startWriter((turn) =>
      db.transaction(async (tx) => {
        const id = idOf((turn * 11) % rows);
        await tx.query("SELECT id, is_public FROM images WHERE id = ?", [id]);
        await tx.run("UPDATE images SET checksum = ? WHERE id = ?", [String(turn), id]);
      }),
    ),
  ];
}

/** As Ocata nodes write: visibility always, is_public never. */
function ocataWriters(db: Database, given: Map<string, string>): readonly Writer[] {
  const kinds = ["private", "public", "shared", "community"] as const;
  return [
    startWriter(async (turn) => {
      const id = randomUUID();
      const visibility = kinds[turn % 4] ?? "shared";
      await db.run(`INSERT INTO images (id, visibility, ${base}) VALUES (?, ?, ${baseValues})`, [id, visibility]);
      given.set(id, visibility);
    }),
    startWriter(async (turn) => {
      const [id] = [...given.keys()].slice(turn % Math.max(given.size, 1));
      if (id === undefined) return;
      const visibility = kinds[(turn + 1) % 4] ?? "shared";
      await db.run("UPDATE images SET visibility = ?, updated_at = created_at WHERE id = ?", [visibility, id]);
      given.set(id, visibility);
    }),
  ];
}

for (const dialect of testDialects)
  test(`live: all phases under writers of both releases (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db, another }) => {
      await fillNewton(db, rows);
      const [engine, old, fresh] = [await another(), await another(), await another()];
      const withMembers = new Set<string>();
      const given = new Map<string, string>();
      const writers: Writer[] = [];
      const stop = (some: readonly Writer[]) => Promise.all(some.map((writer) => writer.stop()));
      try {
        const newtons = newtonWriters(old, withMembers);
        writers.push(...newtons);
        await expand({ db: engine, target: ocata });
        await migrate({ db: engine, target: ocata, backfill: { batchRows: 50, batchRowsMax: 50 } });
        const ocatas = ocataWriters(fresh, given);
        writers.push(...ocatas);
        await eventually("nodes of both releases have written", () => writers.every((one) => one.statements > 5));
        await stop(newtons);
        const result = await verify({ db, target: ocata });
        assert(result.sound, JSON.stringify(result.invariants));
        await contract({ db: engine, target: ocata, limits: { rebuildRowsMax: 0 } });
      } finally {
        await stop(writers);
      }
      for (const writer of writers) {
        assert.deepEqual(writer.failures, []);
        assert(writer.statements > 5, "it wrote all the time");
      }
      const stored = await db.query<{ id: string; visibility: string }>("SELECT id, visibility FROM images");
      const visibilityOf = new Map(stored.map((row) => [row.id, row.visibility]));
      const lost = [...withMembers].filter((id) => visibilityOf.get(id) === "private");
      assert.deepEqual(lost, [], "members that an old node added are seen by new ones");
      for (const [id, visibility] of given) assert.equal(visibilityOf.get(id), visibility);
      assert(stored.every((row) => row.visibility !== null));
    }));

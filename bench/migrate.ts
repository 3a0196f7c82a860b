// Claim: db migrate of 10,000,000 images runs at 0.7 or more of the rows/s of the reference's three UPDATEs over the whole table, flat from
// the first million to the last, and lets no single-row update wait for 200 ms; those UPDATEs let one wait for nearly all of their time.
// Both on the same server with the same settings, one after the other, each on a database of its own. Verify reads the rows afterwards.
import { createConnection } from "mysql2/promise";
import { openDatabase } from "../src/db/connect.ts";
import { migrate as migrateData } from "../src/db/schema/migrate.ts";
import { verify } from "../src/db/schema/verify.ts";
import { releaseOf } from "../src/releases/catalogue.ts";
import type { Bench, BenchContext, Figure } from "./bench.ts";
import { fill, sampleIds, settle } from "./fill.ts";
import { type ProbeResult, startProbe } from "./stall-probe.ts";
import { type Subject, solidStateArgs, startSubject } from "./subject.ts";

const target = releaseOf("ocata");

export const migrate: Bench = {
  name: "migrate",
  summary:
    "db migrate of 10,000,000 images on MariaDB beside the reference's UPDATEs, with single-row updates going on; then db verify",
  async run({ scale, progress }) {
    const images = Math.max(Math.round((10_000_000 * scale) / 1_000), 1) * 1_000;
    const subject = await startSubject({ serverArgs: solidStateArgs });
    try {
      const whole = await runReference(subject, images, progress);
      const ours = await runOurs(subject, images, progress);
      const { stalls } = ours;
      return [
        { what: "reference's UPDATEs", value: Math.round(images / whole.seconds), unit: "rows/s" },
        { what: "reference's UPDATEs, longest update meanwhile", value: whole.stalls.update.maxMs, unit: "ms" },
        { what: "reference's UPDATEs, failed statements meanwhile", value: errorsOf(whole.stalls).length, unit: "" },
        ...ours.parts.map((rate, index) => ({
          what: `migrate, part ${index + 1} of ${ours.parts.length}`,
          value: rate,
          unit: "rows/s",
        })),
        { what: "migrate", value: Math.round(images / ours.seconds), unit: "rows/s" },
        {
          what: "migrate against the reference",
          value: whole.seconds / ours.seconds,
          unit: "",
          bound: { atLeast: 0.7 },
        },
        {
          what: "migrate, last part against the first",
          value: (ours.parts.at(-1) ?? 0) / (ours.parts[0] ?? 1),
          unit: "",
          bound: { atLeast: 0.85 },
        },
        { what: "our own indexes, built afterwards", value: ours.indexSeconds, unit: "s" },
        { what: "longest update meanwhile", value: stalls.update.maxMs, unit: "ms", bound: { atMost: 200 } },
        { what: "longest read meanwhile", value: stalls.select.maxMs, unit: "ms", bound: { atMost: 200 } },
        { what: "longest insert meanwhile", value: stalls.insert.maxMs, unit: "ms", bound: { atMost: 200 } },
        { what: "failed statements meanwhile", value: failures(stalls), unit: "", bound: { atMost: 0 } },
        { what: "updates meanwhile", value: stalls.update.count, unit: "" },
        { what: "99 of 100 updates within", value: stalls.update.p99Ms, unit: "ms" },
        { what: "verify", value: ours.verifyRate, unit: "rows/s", bound: { atLeast: 200_000 } },
      ] satisfies Figure[];
    } finally {
      await subject.stop();
    }
  },
};

type Progress = BenchContext["progress"];

async function prepared(subject: Subject, images: number, progress: Progress) {
  const database = await subject.createDatabase("newton");
  progress(`filling ${images} images`);
  await fill({ connection: database.connection, images, release: "newton", children: false });
  const expanded = await database.manage("db", "expand", "--to", target.id);
  if (expanded.code !== 0) throw new Error(`db expand failed: ${expanded.stderr}`);
  const ids = await sampleIds(database.connection, images, 5_000);
  progress("waiting until the server has written everything out");
  await settle(database.connection);
  return { connection: database.connection, ids };
}

/** What the reference's data migration does, in the one transaction it does it in. */
async function runReference(subject: Subject, images: number, progress: Progress) {
  const { connection, ids } = await prepared(subject, images, progress);
  const db = await createConnection({ uri: connection });
  try {
    const probe = await startProbe({ connection, ids, writesAs: "newton" });
    progress("the reference's UPDATEs");
    const started = performance.now();
    await db.query("START TRANSACTION");
    await db.query("UPDATE images SET visibility = 'public' WHERE is_public");
    await db.query("UPDATE images SET visibility = 'private' WHERE NOT is_public");
    await db.query(
      `UPDATE images SET visibility = 'shared' WHERE visibility = 'private'
       AND EXISTS (SELECT 1 FROM image_members WHERE image_members.image_id = images.id AND image_members.deleted = 0)`,
    );
    await db.query("COMMIT");
    const seconds = (performance.now() - started) / 1_000;
    const stalls = await probe.stop();
    await db.query(`DROP DATABASE ${new URL(connection).pathname.slice(1)}`);
    return { seconds, stalls };
  } finally {
    await db.end();
  }
}

async function runOurs(subject: Subject, images: number, progress: Progress) {
  const { connection, ids } = await prepared(subject, images, progress);
  const db = await openDatabase(connection);
  try {
    const probe = await startProbe({ connection, ids, writesAs: "newton" });
    progress("migrating");
    const marks = [{ rows: 0, ms: performance.now() }];
    let toldMs = 0;
    await migrateData({
      db,
      target,
      on(event) {
        if (event.event !== "progress") return;
        const ms = performance.now();
        marks.push({ rows: event.rowsDone, ms });
        if (ms - toldMs < 10_000) return;
        toldMs = ms;
        progress(`${event.rowsDone} rows, ${event.rowsPerSecond} rows/s, ${event.detail ?? "not held back"}`);
      },
    });
    const endMs = performance.now();
    const stalls = await probe.stop();
    for (const line of slowLines(stalls)) progress(line);
    const [first, last] = [marks[0], marks.at(-1)];
    const seconds = ((last?.ms ?? 0) - (first?.ms ?? 0)) / 1_000;
    progress("verifying");
    const verifyStarted = performance.now();
    const { rows, sound } = await verify({ db, target });
    if (!sound) throw new Error("db verify found rows that do not agree");
    const verifyRate = Math.round((rows * 1_000) / (performance.now() - verifyStarted));
    const indexSeconds = (endMs - (last?.ms ?? endMs)) / 1_000;
    return { seconds, indexSeconds, stalls, verifyRate, parts: partRates(marks, images) };
  } finally {
    await db.close();
  }
}

/** Rows/s of each tenth of the rows. */
function partRates(marks: readonly { readonly rows: number; readonly ms: number }[], images: number): number[] {
  const parts = 10;
  const rates: number[] = [];
  for (let part = 0; part < parts; part++) {
    const from = marks.findLast((mark) => mark.rows <= (images * part) / parts);
    const to = marks.find((mark) => mark.rows >= (images * (part + 1)) / parts) ?? marks.at(-1);
    if (from && to && to.ms > from.ms) rates.push(Math.round(((to.rows - from.rows) * 1_000) / (to.ms - from.ms)));
  }
  return rates;
}

/** Each statement that waited long, and when, so that one sees what was going on. */
function slowLines(stalls: ProbeResult): readonly string[] {
  const all = Object.entries(stalls).flatMap(([kind, { slow }]) => slow.map((one) => ({ kind, ...one })));
  all.sort((a, b) => a.atMs - b.atMs);
  return all.map(
    ({ kind, atMs, ms }) => `${(atMs / 1_000).toFixed(1)} s after the probe began: ${kind} waited ${ms} ms`,
  );
}

function errorsOf(stalls: ProbeResult): readonly string[] {
  return Object.values(stalls).flatMap((figures) => figures.errors);
}

export function failures(stalls: ProbeResult): number {
  const all = errorsOf(stalls);
  for (const error of new Set(all)) process.stderr.write(`probe: ${error}\n`);
  return all.length;
}

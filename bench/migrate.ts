// Claim: db migrate of 1,000,000 images never stalls a single-row update for 200 ms. The reference: 18 s, one update stalled 15.3 s.
import type { Bench } from "./bench.ts";
import { fill, sampleIds } from "./fill.ts";
import { startProbe } from "./stall-probe.ts";
import { startSubject } from "./subject.ts";

export const migrate: Bench = {
  name: "migrate",
  summary: "db migrate of 1,000,000 images on MariaDB, with single-row updates going on",
  async run({ scale, progress }) {
    const images = Math.round(1_000_000 * scale);
    const subject = await startSubject();
    try {
      const database = await subject.createDatabase("newton");
      progress(`filling ${images} images`);
      await fill({ connection: database.connection, images, release: "newton", children: false });
      const expanded = await database.manage("db", "expand");
      if (expanded.code !== 0) throw new Error(`db expand failed: ${expanded.stderr}`);
      const ids = await sampleIds(database.connection, images, 5_000);
      const probe = await startProbe({ connection: database.connection, ids, writesAs: "newton" });
      progress("migrating");
      const started = performance.now();
      const migrated = await database.manage("db", "migrate");
      const seconds = (performance.now() - started) / 1_000;
      const stalls = await probe.stop();
      if (migrated.code !== 0) throw new Error(`db migrate failed: ${migrated.stderr}`);
      return [
        { what: "migrate", value: Math.round(images / seconds), unit: "rows/s" },
        { what: "migrate, whole", value: seconds, unit: "s" },
        { what: "longest update meanwhile", value: stalls.update.maxMs, unit: "ms", bound: { atMost: 200 } },
        { what: "longest read meanwhile", value: stalls.select.maxMs, unit: "ms", bound: { atMost: 200 } },
        { what: "longest insert meanwhile", value: stalls.insert.maxMs, unit: "ms", bound: { atMost: 200 } },
        { what: "failed statements meanwhile", value: failures(stalls), unit: "", bound: { atMost: 0 } },
        { what: "updates meanwhile", value: stalls.update.count, unit: "" },
        { what: "99 of 100 updates within", value: stalls.update.p99Ms, unit: "ms" },
      ];
    } finally {
      await subject.stop();
    }
  },
};

export function failures(stalls: Awaited<ReturnType<Awaited<ReturnType<typeof startProbe>>["stop"]>>): number {
  const all = Object.values(stalls).flatMap((figures) => figures.errors);
  for (const error of new Set(all)) process.stderr.write(`probe: ${error}\n`);
  return all.length;
}

// Claim: expand and contract on 1,000,000 images stall no other statement for 500 ms, also while another session holds a transaction
// open on the table. The reference's expand stalls every query for as long as that transaction stays open.
import { setTimeout as sleep } from "node:timers/promises";
import { createConnection } from "mysql2/promise";
import type { Bench, Figure } from "./bench.ts";
import { fill, sampleIds } from "./fill.ts";
import { failures } from "./migrate.ts";
import { type ProbeOptions, startProbe } from "./stall-probe.ts";
import { type SubjectDatabase, startSubject } from "./subject.ts";

/** How long the other session keeps its transaction. */
const foreignMs = 5_000;

export const expandContract: Bench = {
  name: "expand-contract",
  summary: "db expand and db contract of 1,000,000 images on MariaDB, without and with a foreign transaction left open",
  async run({ scale, progress }) {
    const images = Math.round(1_000_000 * scale);
    const subject = await startSubject();
    const figures: Figure[] = [];
    try {
      for (const foreign of [false, true]) {
        const database = await subject.createDatabase("newton");
        progress(`filling ${images} images`);
        await fill({ connection: database.connection, images, release: "newton", children: false });
        const ids = await sampleIds(database.connection, images, 5_000);
        const probe = { connection: database.connection, ids };
        progress(`expand, ${foreign ? "with" : "without"} a foreign transaction`);
        figures.push(...(await phase(database, "expand", { ...probe, writesAs: "newton" }, foreign)));
        const migrated = await database.manage("db", "migrate");
        if (migrated.code !== 0) throw new Error(`db migrate failed: ${migrated.stderr}`);
        progress(`contract, ${foreign ? "with" : "without"} a foreign transaction`);
        figures.push(...(await phase(database, "contract", { ...probe, writesAs: "ocata" }, foreign)));
      }
      return figures;
    } finally {
      await subject.stop();
    }
  },
};

async function phase(
  database: SubjectDatabase,
  name: "expand" | "contract",
  options: ProbeOptions,
  foreign: boolean,
): Promise<Figure[]> {
  const probe = await startProbe(options);
  const other = foreign ? await openTransaction(options.connection) : undefined;
  const started = performance.now();
  const [finished] = await Promise.all([database.manage("db", name), other?.close()]);
  const seconds = (performance.now() - started) / 1_000;
  const stalls = await probe.stop();
  if (finished.code !== 0) throw new Error(`db ${name} failed: ${finished.stderr}`);
  const title = `${name}, ${foreign ? `transaction open for ${foreignMs / 1_000} s` : "no other transaction"}`;
  const longest = Math.max(...Object.values(stalls).map((figure) => figure.maxMs));
  return [
    { what: `${title}: whole`, value: seconds, unit: "s" },
    { what: `${title}: longest statement of others`, value: longest, unit: "ms", bound: { atMost: 500 } },
    { what: `${title}: failed statements of others`, value: failures(stalls), unit: "", bound: { atMost: 0 } },
  ];
}

async function openTransaction(connection: string): Promise<{ close(): Promise<void> }> {
  const db = await createConnection({ uri: connection });
  await db.query("START TRANSACTION");
  await db.query("SELECT id FROM images LIMIT 1");
  return {
    async close() {
      await sleep(foreignMs);
      await db.query("ROLLBACK");
      await db.end();
    },
  };
}

// Claim: expand, revert and contract on 10,000,000 images stall no other statement for 500 ms, also while another session holds a
// transaction open on the table. The reference's expand stalls every query for as long as that transaction stays open.
import { setTimeout as sleep } from "node:timers/promises";
import { createConnection } from "mysql2/promise";
import type { Bench, Figure } from "./bench.ts";
import { fill, sampleIds } from "./fill.ts";
import { failures } from "./migrate.ts";
import { type ProbeOptions, startProbe } from "./stall-probe.ts";
import { type SubjectDatabase, solidStateArgs, startSubject } from "./subject.ts";

/** How long the other session keeps its transaction. */
const foreignMs = 5_000;

export const expandContract: Bench = {
  name: "expand-contract",
  summary:
    "db expand, revert and contract of 10,000,000 images on MariaDB, with a foreign transaction left open on the table",
  async run({ scale, progress }) {
    const images = Math.max(Math.round((10_000_000 * scale) / 1_000), 1) * 1_000;
    const subject = await startSubject({ serverArgs: solidStateArgs });
    try {
      const database = await subject.createDatabase("newton");
      progress(`filling ${images} images`);
      await fill({ connection: database.connection, images, release: "newton", children: false });
      const ids = await sampleIds(database.connection, images, 5_000);
      const asNewton = { connection: database.connection, ids, writesAs: "newton" } as const;
      const measure = (name: Phase, options: ProbeOptions, foreign: boolean) => {
        progress(`${name}, ${foreign ? "with" : "without"} a foreign transaction`);
        return phase(database, name, options, foreign);
      };
      const figures = [
        ...(await measure("expand", asNewton, true)),
        ...(await measure("revert", asNewton, true)),
        ...(await measure("expand", asNewton, false)),
      ];
      progress("migrating");
      const migrated = await database.manage("db", "migrate");
      if (migrated.code !== 0) throw new Error(`db migrate failed: ${migrated.stderr}`);
      return [...figures, ...(await measure("contract", { ...asNewton, writesAs: "ocata" }, true))];
    } finally {
      await subject.stop();
    }
  },
};

type Phase = "expand" | "revert" | "contract";

async function phase(
  database: SubjectDatabase,
  name: Phase,
  options: ProbeOptions,
  foreign: boolean,
): Promise<readonly Figure[]> {
  const probe = await startProbe(options);
  const other = foreign ? await openTransaction(options.connection) : undefined;
  const started = performance.now();
  const [finished] = await Promise.all([
    database.manage("db", name, "--to", name === "revert" ? "newton" : "ocata"),
    other?.close(),
  ]);
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

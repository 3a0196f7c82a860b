// Claim: while a mixed fleet is at work, the triggers of an expanded database cost an INSERT and an UPDATE of an image less than 0.3 of what
// these cost without. Two databases on one server, with and without triggers, written in turns by the same connection.
import { randomUUID } from "node:crypto";
import { type Connection, createConnection } from "mysql2/promise";
import { type Bench, median } from "./bench.ts";
import { fill, sampleIds } from "./fill.ts";
import { startSubject } from "./subject.ts";

const images = 100_000;
/** Writes in one turn; the turns alternate, so that whatever else the machine does falls on both. */
const perTurn = 200;

const triggers = ["insert_visibility", "update_visibility", "perennial_insert_member", "perennial_update_member"];

type Write = { readonly what: string; readonly bound?: number; run(db: Connection, id: string): Promise<unknown> };

const insertSql = (column: string, value: string) =>
  `INSERT INTO images (id, name, status, created_at, deleted, min_disk, min_ram, protected, ${column})
   VALUES (?, 'bench', 'queued', UTC_TIMESTAMP(), 0, 0, 0, 0, ${value})`;

/** A Newton node's statements, which pass with triggers and without. */
const writes: readonly Write[] = [
  { what: "INSERT of an image", bound: 1.3, run: (db) => db.query(insertSql("is_public", "0"), [randomUUID()]) },
  {
    what: "UPDATE of an image",
    bound: 1.3,
    run: (db, id) =>
      db.query(
        "UPDATE images SET updated_at = UTC_TIMESTAMP(6), is_public = is_public, min_ram = min_ram + 1 WHERE id = ?",
        [id],
      ),
  },
  {
    what: "INSERT of a member",
    run: (db, id) =>
      db.query(
        "INSERT INTO image_members (image_id, member, can_share, created_at, deleted, status) VALUES (?, ?, 0, UTC_TIMESTAMP(), 0, 'pending')",
        [id, randomUUID()],
      ),
  },
];

export const triggerCost: Bench = {
  name: "triggers",
  summary: "single-row writes on MariaDB with the triggers of a mixed fleet, against the same without",
  async run({ scale, progress }) {
    const turns = Math.max(10, Math.round(100 * scale));
    const subject = await startSubject();
    try {
      const open = async (withTriggers: boolean) => {
        const database = await subject.createDatabase("newton");
        progress(`filling ${images} images ${withTriggers ? "with" : "without"} triggers`);
        await fill({ connection: database.connection, images, release: "newton", children: false });
        for (const phase of ["expand", "migrate"]) {
          const done = await database.manage("db", phase, "--to", "ocata");
          if (done.code !== 0) throw new Error(`db ${phase} failed: ${done.stderr}`);
        }
        const db = await createConnection({ uri: database.connection });
        if (!withTriggers) for (const name of triggers) await db.query(`DROP TRIGGER ${name}`);
        return { db, ids: await sampleIds(database.connection, images, 5_000) };
      };
      const [plain, triggered] = [await open(false), await open(true)];
      const figures = [];
      for (const write of writes) {
        progress(write.what);
        const ms = { plain: [] as number[], triggered: [] as number[] };
        for (let turn = 0; turn < turns; turn++) {
          ms.plain.push(await time(plain, write, turn));
          ms.triggered.push(await time(triggered, write, turn));
        }
        const ratio = median(ms.triggered) / median(ms.plain);
        figures.push(
          { what: `${write.what}, without triggers`, value: (median(ms.plain) * 1_000) / perTurn, unit: "µs" },
          {
            what: `${write.what}, with triggers against without`,
            value: ratio,
            unit: "",
            ...(write.bound === undefined ? {} : { bound: { atMost: write.bound } }),
          },
        );
      }
      await Promise.all([plain.db.end(), triggered.db.end()]);
      return figures;
    } finally {
      await subject.stop();
    }
  },
};

async function time({ db, ids }: { db: Connection; ids: readonly string[] }, write: Write, turn: number) {
  const started = performance.now();
  for (let index = 0; index < perTurn; index++) await write.run(db, ids[(turn * perTurn + index) % ids.length] ?? "");
  return performance.now() - started;
}

// `db purge` and `db purge_images_table`: what users deleted is only marked, and goes for good here, children first. An image's own
// row stays longest, because its id may be given to no other image while somebody could still trust in it; and as long as its data
// waits to be removed from the store, for then that row is what tells.
import type { Database } from "../database.ts";
import { presentTables } from "../schema/schema-tools.ts";
import { type Purged, type PurgeOptions, type PurgeTable, purgeTable, readCutoff } from "./purge-walk.ts";

export type { Purged, PurgeOptions };

/** A location whose data still lies in the store: without its row nobody would find it. */
const dataWaits = "status = 'pending_delete'";

/** In this order. `tasks` has its task_info with it, in one transaction. */
const childTables: readonly PurgeTable[] = [
  { table: "image_properties", idBefore: 0 },
  { table: "image_tags", idBefore: 0 },
  { table: "image_locations", idBefore: 0, staysWhere: `t.${dataWaits}` },
  { table: "image_members", idBefore: 0 },
  { table: "tasks", idBefore: "", dependent: { table: "task_info", key: "task_id" } },
];

/** All tables with a mark for deleted rows but `images`. */
export async function purge(options: PurgeOptions): Promise<readonly Purged[]> {
  const cutoff = await readCutoff(options.db, options.ageDays);
  const purged: Purged[] = [];
  for (const table of childTables) purged.push(...(await purgeTable(options, table, cutoff)));
  return purged;
}

export type ImagesPurged = {
  readonly rows: number;
  /** Old images whose data still waits to be removed from a store. */
  readonly kept: number;
  /** Old images that could not go because rows of other tables name them. */
  readonly blocked: readonly BlockingChildren[];
};

export type BlockingChildren = {
  readonly table: string;
  readonly images: number;
  /** Marked as deleted, whenever that was: `db purge` removes them. */
  readonly marked: number;
  /** Never marked, though their image is. */
  readonly live: number;
};

const namingTables = ["image_properties", "image_tags", "image_locations", "image_members"] as const;

/** Rows of `images` that nothing names any more. Those that have children left stay, and are told of. */
export async function purgeImagesTable(options: PurgeOptions): Promise<ImagesPurged> {
  const { db } = options;
  const cutoff = await readCutoff(db, options.ageDays);
  const kept = await dataWaitsWhere(db);
  const named = namingTables.map((table) => `EXISTS (SELECT 1 FROM ${table} c WHERE c.image_id = t.id)`).join(" OR ");
  const images: PurgeTable = { table: "images", idBefore: "", staysWhere: `${kept} OR ${named}` };
  const [purged] = await purgeTable(options, images, cutoff);
  const old = "t.deleted = TRUE AND t.deleted_at < ?";
  const [waiting] = await db.query<{ n: unknown }>(`SELECT COUNT(*) AS n FROM images t WHERE ${old} AND (${kept})`, [
    cutoff,
  ]);
  const blocked: BlockingChildren[] = [];
  for (const table of namingTables) {
    const [row] = await db.query<{ images: unknown; n: unknown; live: unknown }>(
      `SELECT COUNT(DISTINCT t.id) AS images, COUNT(*) AS n, COUNT(CASE WHEN c.deleted <> TRUE THEN 1 END) AS live
       FROM images t JOIN ${table} c ON c.image_id = t.id WHERE ${old} AND NOT (${kept})`,
      [cutoff],
    );
    const live = Number(row?.live ?? 0);
    const rows = Number(row?.n ?? 0);
    if (rows > 0) blocked.push({ table, images: Number(row?.images), marked: rows - live, live });
  }
  return { rows: purged?.rows ?? 0, kept: Number(waiting?.n ?? 0), blocked };
}

/** Of a row of `images` called `t`. A database that only the reference's tools have seen has no leases. */
async function dataWaitsWhere(db: Database): Promise<string> {
  const conditions = [
    `t.${dataWaits}`,
    `EXISTS (SELECT 1 FROM image_locations w WHERE w.image_id = t.id AND w.${dataWaits})`,
  ];
  const present = await presentTables(db);
  for (const table of ["perennial_uploads", "perennial_imports"])
    if (present.has(table)) conditions.push(`EXISTS (SELECT 1 FROM ${table} u WHERE u.image_id = t.id)`);
  return conditions.join(" OR ");
}

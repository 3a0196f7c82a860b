// Rows of perennial_imports: who stages or imports which image, for how long. Times are the database's.
import { randomUUID } from "node:crypto";
import type { ImportLease } from "../../images/import/import-repository.ts";
import type { Database, Dialect, Queryable, Row } from "../database.ts";

type Options = { readonly leaseSeconds: number; readonly dialect: Dialect };

/** Throws db.duplicate where a lease of this image stands. */
export async function insertImportLease(
  db: Queryable,
  lease: ImportLease,
  { leaseSeconds, dialect }: Options,
): Promise<void> {
  await db.run(
    `insert into perennial_imports (image_id, lease_id, node, task_id, gives_back, urls, started_at, expires_at) values (?, ?, ?, ?, ?, ?, ${dialect.nowSql}, ${dialect.nowPlusSecondsSql})`,
    [lease.imageId, lease.leaseId, lease.node, lease.taskId, lease.givesBack, lease.urls.join("\n"), leaseSeconds],
  );
}

/** Extends the lease where it still is the caller's; false where it is not. */
export async function extendImportLease(
  db: Queryable,
  lease: Pick<ImportLease, "imageId" | "leaseId">,
  { leaseSeconds, dialect }: Options,
): Promise<boolean> {
  const { rowsAffected } = await db.run(
    `update perennial_imports set expires_at = ${dialect.nowPlusSecondsSql} where image_id = ? and lease_id = ?`,
    [leaseSeconds, lease.imageId, lease.leaseId],
  );
  return rowsAffected > 0;
}

/** Of several who try, one finds the old lease still there; a holder that woke up and renewed keeps it. */
export async function reclaimImportLeases(
  db: Database,
  node: string,
  { leaseSeconds, rowsMax }: { readonly leaseSeconds: number; readonly rowsMax: number },
): Promise<readonly ImportLease[]> {
  const { nowSql, nowPlusSecondsSql } = db.dialect;
  const expired = await db.query(
    `select image_id, lease_id, task_id, gives_back, urls from perennial_imports where expires_at < ${nowSql} order by expires_at limit ${Math.trunc(rowsMax)}`,
  );
  const taken: ImportLease[] = [];
  for (const row of expired) {
    const leaseId = randomUUID();
    const { rowsAffected } = await db.run(
      `update perennial_imports set lease_id = ?, node = ?, expires_at = ${nowPlusSecondsSql} where image_id = ? and lease_id = ? and expires_at < ${nowSql}`,
      [leaseId, node, leaseSeconds, String(row.image_id), String(row.lease_id)],
    );
    if (rowsAffected > 0) taken.push(readLease(row, leaseId, node));
  }
  return taken;
}

function readLease(row: Row, leaseId: string, node: string): ImportLease {
  return {
    imageId: String(row.image_id),
    leaseId,
    node,
    taskId: row.task_id as string | null,
    givesBack: row.gives_back as ImportLease["givesBack"],
    urls: String(row.urls).split("\n").filter(Boolean),
  };
}

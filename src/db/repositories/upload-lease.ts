// Rows of perennial_uploads: who may touch which data in the store, for how long. Times are the database's.
import type { UploadLease } from "../../images/ports.ts";
import type { Dialect, Queryable } from "../database.ts";

/** Throws db.duplicate where a lease of this image stands. */
export async function insertLease(
  db: Queryable,
  lease: UploadLease,
  { leaseSeconds, dialect }: { leaseSeconds: number; dialect: Dialect },
): Promise<void> {
  await db.run(
    `insert into perennial_uploads (image_id, lease_id, node, url, started_at, expires_at) values (?, ?, ?, ?, ${dialect.nowSql}, ${dialect.nowPlusSecondsSql})`,
    [lease.imageId, lease.leaseId, lease.node, lease.urls.join("\n"), leaseSeconds],
  );
}

/** Extends the lease where it still is the caller's; false where it is not. */
export async function extendLease(
  db: Queryable,
  lease: Pick<UploadLease, "imageId" | "leaseId">,
  { leaseSeconds, dialect }: { leaseSeconds: number; dialect: Dialect },
): Promise<boolean> {
  const { rowsAffected } = await db.run(
    `update perennial_uploads set expires_at = ${dialect.nowPlusSecondsSql} where image_id = ? and lease_id = ?`,
    [leaseSeconds, lease.imageId, lease.leaseId],
  );
  return rowsAffected > 0;
}

/** The lines of column url. */
export function urlsIn(text: string): readonly string[] {
  return text.split("\n").filter(Boolean);
}

/** Adds data that is to be removed to a lease that stands, whoever holds it. False where none stands any more. */
export async function addToLease(
  tx: Queryable,
  { imageId, urls }: Pick<UploadLease, "imageId" | "urls">,
  dialect: Dialect,
): Promise<boolean> {
  const [row] = await tx.query<{ url: string }>(
    `select url from perennial_uploads where image_id = ?${dialect.forUpdate}`,
    [imageId],
  );
  if (!row) return false;
  const all = [...new Set([...urlsIn(row.url), ...urls])];
  await tx.run("update perennial_uploads set url = ? where image_id = ?", [all.join("\n"), imageId]);
  return true;
}

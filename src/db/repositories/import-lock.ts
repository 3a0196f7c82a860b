// The lock on an image that is being imported: the property os_glance_import_task, which holds the id of the task at work. Nodes of the
// reference honour it as ours do, so it is respected and set as they would, beside the lease that only we know.
import type { ImportProgress } from "../../images/import/import-repository.ts";
import type { Dialect, Queryable } from "../database.ts";
import { type At, changeProperties } from "./image-children.ts";
import type { ChildRow } from "./image-row.ts";
import { isLive } from "./live-row.ts";

export const lockProperty = "os_glance_import_task";
const importingProperty = "os_glance_importing_to_stores";
const failedProperty = "os_glance_failed_import";

/** Without a sign of life for so long, whoever works on a task is taken for dead; one that waits for its turn gets twice the time. */
const silentSecondsMax = 3_600;
const pendingSecondsMax = 7_200;

/** The task that holds the lock of an image whose row the caller holds; undefined: nobody does. */
export async function lockHolder(tx: Queryable, imageId: string): Promise<string | undefined> {
  const [row] = await tx.query<{ value: string | null }>(
    `select value from image_properties where image_id = ? and name = ? and ${isLive}`,
    [imageId, lockProperty],
  );
  return row?.value || undefined;
}

/** Whether the task is still to be waited for. */
export async function isAtWork(tx: Queryable, taskId: string, dialect: Dialect): Promise<boolean> {
  const [task] = await tx.query<{ status: string; silent_seconds: unknown }>(
    `select status, ${dialect.secondsSinceSql("updated_at")} as silent_seconds from tasks where id = ? and deleted = false`,
    [taskId],
  );
  if (!task || task.status === "success" || task.status === "failure") return false;
  return Number(task.silent_seconds ?? 0) <= (task.status === "pending" ? pendingSecondsMax : silentSecondsMax);
}

/** Sets properties of an image whose row the caller holds; null removes one. Others are left alone. */
export async function writeProperties(
  tx: Queryable,
  imageId: string,
  values: Readonly<Record<string, string | null>>,
  at: At,
): Promise<void> {
  const names = Object.keys(values);
  if (names.length === 0) return;
  const rows = await tx.query<{ id: number; name: string; value: string | null }>(
    `select id, name, value from image_properties where image_id = ? and ${isLive} and name in (${names.map(() => "?").join(", ")})`,
    [imageId, ...names],
  );
  const children = rows.map(
    (row): ChildRow => ({
      kind: "property",
      rowId: Number(row.id),
      name: row.name,
      value: row.value,
      metadata: null,
      status: null,
    }),
  );
  const given = Object.entries(values);
  const set = given.filter((entry): entry is [string, string] => entry[1] !== null);
  const remove = given.filter(([, value]) => value === null).map(([name]) => name);
  await changeProperties(tx, { id: imageId, children }, { set: Object.fromEntries(set), remove }, at);
}

/** As clients see how far an import is. */
export function progressValues({ importing, failed }: ImportProgress): Readonly<Record<string, string>> {
  return { [importingProperty]: importing.join(","), [failedProperty]: failed.join(",") };
}

/**
 * The properties that say how far an import is, where the image has them, as they are once it is over. `failed`: stores that did not get the
 * data; null: those that the image waits for, beside those that failed before.
 */
export async function endProgress(
  tx: Queryable,
  imageId: string,
  failed: readonly string[] | null,
  at: At,
): Promise<void> {
  const rows = await tx.query<{ name: string; value: string | null }>(
    `select name, value from image_properties where image_id = ? and name in (?, ?) and ${isLive}`,
    [imageId, importingProperty, failedProperty],
  );
  const waitedFor = rows.flatMap(({ value }) => value?.split(",").filter(Boolean) ?? []);
  const values = rows.length > 0 ? progressValues({ importing: [], failed: failed ?? [...new Set(waitedFor)] }) : {};
  await writeProperties(tx, imageId, { ...values, [lockProperty]: null }, at);
}

// What a project has in all, in one statement over the owner's images.
import type { ProjectUsage } from "../../images/ports.ts";
import type { Queryable } from "../database.ts";
import { isLive } from "./live-row.ts";

/** An active image that an import copies into further stores. */
const copying = `exists (select 1 from image_properties p where p.image_id = i.id and p.name = 'os_glance_importing_to_stores'
  and p.value <> '' and p.${isLive})`;
const staged = `(i.status in ('uploading', 'importing') or ${copying})`;
const taking = `(i.status in ('saving', 'uploading', 'importing') or ${copying})`;

export async function projectUsage(db: Queryable, owner: string | null): Promise<ProjectUsage> {
  const [row] = await db.query<{ images: unknown; uploading: unknown; staged: unknown }>(
    `select count(*) as images, sum(case when ${taking} then 1 else 0 end) as uploading,
     sum(case when i.size > 0 and ${staged} then i.size else 0 end) as staged
     from images i
     where i.owner ${owner === null ? "is null" : "= ?"} and i.status not in ('killed', 'deleted', 'pending_delete')`,
    owner === null ? [] : [owner],
  );
  return {
    images: Number(row?.images ?? 0),
    uploading: Number(row?.uploading ?? 0),
    stagedBytes: Number(row?.staged ?? 0),
  };
}

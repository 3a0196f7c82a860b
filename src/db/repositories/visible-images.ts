// Who sees an image by its id, as an SQL expression over `images i`: database.md 6.1 for releases with is_public, 6.2 since visibility.
import type { Viewer } from "../../images/ports.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import type { SqlCondition } from "../database.ts";
import { isLive } from "./live-row.ts";

const memberExists = `exists (select 1 from image_members m where m.image_id = i.id and m.member = ? and m.${isLive})`;

/** Yields true or false, as the database says it (1 and 0). A CASE, so that members are looked up only where nothing else decides. */
export function visibleById({ isAdmin, projectId }: Viewer, capabilities: Capabilities): SqlCondition {
  if (isAdmin) return { sql: "true", params: [] };
  const forAll =
    capabilities.visibilityStoredAs === "is_public" ? "i.is_public = true" : "i.visibility in ('public', 'community')";
  const open = `i.owner is null or ${forAll}`;
  if (projectId === null) return { sql: `case when ${open} then true else false end`, params: [] };
  // A membership of any status opens the image to who knows its id.
  const shared = capabilities.membersOnSharedOnly
    ? `when i.visibility = 'shared' then ${memberExists} else false`
    : `else ${memberExists}`;
  return { sql: `case when ${open} or i.owner = ? then true ${shared} end`, params: [projectId, projectId] };
}

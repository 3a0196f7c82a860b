// Newton -> Ocata, verify: every row read as Newton reads it (is_public) and as Ocata does (visibility), and compared.
// After contract only Ocata's reading is left, so a row on which the two differ would change its meaning for good.
import { isLive } from "../../repositories/live-row.ts";
import type { Invariant } from "../../schema/step.ts";

export const invariants: readonly Invariant[] = [
  { name: "images without a visibility", severity: "refuse", brokenWhere: "visibility IS NULL" },
  {
    name: "images with a visibility no release knows",
    severity: "refuse",
    brokenWhere: "visibility NOT IN ('private', 'public', 'shared', 'community')",
  },
  {
    name: "images that one release reads as public and the other does not",
    severity: "refuse",
    brokenWhere: "(is_public = TRUE) <> (visibility = 'public')",
  },
  {
    // Legal since Ocata: an owner may take an image back that was shared. Its members stay noted, and see it no more.
    name: "private images that keep members",
    severity: "report",
    brokenWhere: `visibility = 'private' AND EXISTS (SELECT 1 FROM image_members m WHERE m.image_id = images.id AND m.${isLive})`,
  },
];

// Ocata -> Newton, revert: what is_public cannot say. Newton reads every image that is not public as private, and lets its members see it.
import { isLive } from "../../repositories/live-row.ts";
import type { Loss } from "../../schema/step.ts";

const live = `images.${isLive}`;

export const losses: readonly Loss[] = [
  {
    name: "community images, which only their owners and members would see",
    table: "images",
    key: "id",
    where: `visibility = 'community' AND ${live}`,
  },
  {
    name: "private images that keep members, who would see them again",
    table: "images",
    key: "id",
    where: `visibility = 'private' AND ${live} AND EXISTS (SELECT 1 FROM image_members m WHERE m.image_id = images.id AND m.${isLive})`,
  },
];

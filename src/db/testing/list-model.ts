// What a list should hold, said again in the plainest way: filter all images, sort them, cut a page. Tests compare the repository with it.
import type { Image, ImageMember } from "../../images/image.ts";
import type { ImageFilter, ImageQuery, SortKey } from "../../images/ports.ts";
import type { Capabilities } from "../../releases/capabilities.ts";

/** Everything there is, as an admin finds it by id, and all live members. */
export type World = { readonly images: readonly Image[]; readonly members: readonly ImageMember[] };

export function expectedIds(world: World, query: ImageQuery, capabilities: Capabilities): string[] {
  const listed = world.images
    .filter((image) => isListed(world, image, query, capabilities))
    .filter((image) => query.filters.every((filter) => passes(image, filter)))
    .sort((a, b) => compare(a, b, query));
  const from = query.marker === undefined ? 0 : listed.findIndex((image) => image.id === query.marker) + 1;
  return listed.slice(from, from + query.limit).map((image) => image.id);
}

/** Whether the marker is in the unpaged list: paging with another one is not compared. */
export function isListed(world: World, image: Image, query: ImageQuery, capabilities: Capabilities): boolean {
  const { viewer, visibility, memberStatus, hidden } = query;
  if (hidden !== undefined && image.hidden !== hidden) return false;
  const own = viewer.projectId !== null && image.owner === viewer.projectId;
  const memberships = world.members.filter((member) => member.imageId === image.id);
  const member = memberships.some(
    ({ memberId, status }) => memberId === viewer.projectId && (memberStatus === "all" || status === memberStatus),
  );
  if (capabilities.visibilityStoredAs === "is_public") {
    if (visibility === "community") return false;
    if (visibility === "shared") return viewer.isAdmin ? memberships.length > 0 : member;
    if (visibility && image.visibility !== visibility) return false;
    return viewer.isAdmin || image.visibility === "public" || own || member;
  }
  if (visibility && visibility !== "all" && image.visibility !== visibility) return false;
  if (image.visibility === "community") return own || visibility === "community" || visibility === "all";
  return viewer.isAdmin || image.visibility === "public" || own || (image.visibility === "shared" && member);
}

const fieldOf: Record<SortKey, keyof Image> = {
  name: "name",
  status: "status",
  container_format: "containerFormat",
  disk_format: "diskFormat",
  size: "sizeBytes",
  id: "id",
  created_at: "createdAt",
  updated_at: "updatedAt",
};

function passes(image: Image, filter: ImageFilter): boolean {
  switch (filter.kind) {
    case "tag":
      return image.tags.includes(filter.tag);
    case "property":
      return image.properties[filter.name] === filter.value;
    case "bound": {
      const value = { size: image.sizeBytes, virtual_size: null, min_disk: image.minDiskGb, min_ram: image.minRamMb }[
        filter.column
      ];
      return value !== null && (filter.bound === "min" ? value >= filter.value : value <= filter.value);
    }
    case "time": {
      const value = filter.column === "created_at" ? image.createdAt : image.updatedAt;
      const order = value < filter.value ? -1 : value > filter.value ? 1 : 0;
      return { eq: order === 0, neq: order !== 0, gt: order > 0, gte: order >= 0, lt: order < 0, lte: order <= 0 }[
        filter.operator
      ];
    }
    case "column": {
      const { column, values } = filter;
      const of: Partial<Record<typeof column, string | number | boolean | null>> = {
        name: image.name,
        status: image.status,
        owner: image.owner,
        id: image.id,
        protected: image.protected,
        disk_format: image.diskFormat,
        min_ram: image.minRamMb,
      };
      return values.includes(of[column] ?? null);
    }
  }
}

function compare(a: Image, b: Image, { sort }: ImageQuery): number {
  for (const { key, direction } of sort) {
    const [one, other] = [a[fieldOf[key]], b[fieldOf[key]]];
    if (one === other) continue;
    // NULL is the lowest value on every database we know.
    const less = one === null || (other !== null && (one as string) < (other as string));
    return less === (direction === "asc") ? -1 : 1;
  }
  return 0;
}

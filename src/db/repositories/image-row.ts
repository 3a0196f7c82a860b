// Rows of images and their child tables -> the domain's Image. What a release calls its visibility column is decided here, once.
import type { Image, ImageLocation } from "../../images/image.ts";
import type { ImageStatus } from "../../images/status.ts";
import type { Capabilities, Visibility } from "../../releases/capabilities.ts";
import type { Database, Row } from "../database.ts";
import type { LocationUrls } from "../location-urls.ts";

const columnsOfEveryRelease = [
  "id",
  "name",
  "size",
  "status",
  "created_at",
  "updated_at",
  "disk_format",
  "container_format",
  "checksum",
  "owner",
  "min_disk",
  "min_ram",
  "protected",
  "virtual_size",
] as const;

export type ImageRow = Record<(typeof columnsOfEveryRelease)[number], unknown> & {
  readonly is_public?: unknown;
  readonly visibility?: unknown;
  readonly os_hidden?: unknown;
  readonly os_hash_algo?: unknown;
  readonly os_hash_value?: unknown;
};

/** Named one by one, never `*`: other columns come and go while we serve. */
export function imageColumns({ visibilityStoredAs, hiding, multihash }: Capabilities): readonly string[] {
  return [
    ...columnsOfEveryRelease,
    visibilityStoredAs,
    ...(hiding ? ["os_hidden"] : []),
    ...(multihash ? ["os_hash_algo", "os_hash_value"] : []),
  ];
}

/** What a row of a child table says, under names that all three tables share. */
export type ChildRow = {
  readonly kind: "property" | "tag" | "location";
  readonly rowId: number;
  /** Name of the property, the tag, URL of the location. */
  readonly name: string;
  /** Of a property. */
  readonly value: string | null;
  /** JSON, of a location. */
  readonly metadata: string | null;
  readonly status: string | null;
};

/** Numbers that stand for the kind in a UNION. */
const kinds = [undefined, "property", "tag", "location"] as const;
export const kindNumbers = { image: 0, property: 1, tag: 2, location: 3 } as const;

/** Reads the columns `child_kind`, `row_id`, `child_name`, `child_value`, `child_metadata`, `child_status`. */
export function readChild(row: Row): ChildRow {
  const kind = kinds[Number(row.child_kind)];
  if (kind === undefined) throw new TypeError("a child row says of which table it is");
  return {
    kind,
    rowId: Number(row.row_id),
    name: String(row.child_name),
    value: row.child_value as string | null,
    metadata: row.child_metadata as string | null,
    status: row.child_status as string | null,
  };
}

/** What of a database reading its rows takes. */
export type Reading = Pick<Database, "dialect" | "locationUrls">;

export function readImage(row: ImageRow, children: readonly ChildRow[], { dialect, locationUrls }: Reading): Image {
  const createdAt = dialect.decodeTime(String(row.created_at));
  return {
    id: String(row.id),
    name: row.name as string | null,
    status: row.status as ImageStatus,
    visibility: readVisibility(row),
    protected: Boolean(row.protected),
    // A release without these columns neither reads nor writes them: what it stores is shown, and has one hash.
    hidden: Boolean(row.os_hidden ?? false),
    owner: row.owner as string | null,
    diskFormat: row.disk_format as string | null,
    containerFormat: row.container_format as string | null,
    minDiskGb: Number(row.min_disk),
    minRamMb: Number(row.min_ram),
    sizeBytes: readBytes(row.size),
    virtualSizeBytes: readBytes(row.virtual_size),
    checksum: row.checksum as string | null,
    hashAlgorithm: (row.os_hash_algo ?? null) as string | null,
    hashValue: (row.os_hash_value ?? null) as string | null,
    createdAt,
    updatedAt: row.updated_at === null ? createdAt : dialect.decodeTime(String(row.updated_at)),
    ...readChildren(children, locationUrls),
  };
}

export function readVisibility(row: { readonly is_public?: unknown; readonly visibility?: unknown }): Visibility {
  if (row.visibility === undefined) return row.is_public ? "public" : "private";
  // NULL is a row that was not migrated yet; the start guard keeps us from serving then. Nobody sees more than the owner would show.
  return (row.visibility as Visibility | null) ?? "private";
}

/** bigint columns arrive as text beyond 2^53, which no image reaches. */
const readBytes = (value: unknown): number | null => (value === null ? null : Number(value));

type Children = Pick<Image, "tags" | "properties" | "locations">;

function readChildren(rows: readonly ChildRow[], urls: LocationUrls): Children {
  const tags = new Set<string>();
  const properties: [string, string | null][] = [];
  const locations: { rowId: number; location: ImageLocation }[] = [];
  for (const row of rows) {
    if (row.kind === "tag") tags.add(row.name);
    else if (row.kind === "property") properties.push([row.name, row.value]);
    else locations.push({ rowId: row.rowId, location: readLocation(row, urls) });
  }
  return {
    tags: [...tags],
    // fromEntries makes even `__proto__` a property like any other.
    properties: Object.fromEntries(properties),
    locations: locations.sort((a, b) => a.rowId - b.rowId).map(({ location }) => location),
  };
}

function readLocation(row: ChildRow, urls: LocationUrls): ImageLocation {
  return {
    url: urls.decode(row.name, row.rowId),
    metadata: readMetadata(row.metadata),
    status: row.status ?? "active",
  };
}

/** Of a location, as `meta_data` has it. */
export function readMetadata(json: string | null): Record<string, unknown> {
  if (json === null || json === "" || json === "{}") return {};
  let metadata: unknown;
  try {
    metadata = JSON.parse(json);
  } catch {
    // Somebody else's row, and no reason that the image, and every list with it, cannot be shown.
    return {};
  }
  return typeof metadata === "object" && metadata !== null ? (metadata as Record<string, unknown>) : {};
}

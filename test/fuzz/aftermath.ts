// How the service must be when nothing is under way any more: each image in a status that its rows and its data agree with, no data that no
// image has, no work that nobody ends, and what is kept as it was.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Database, Row } from "../../src/db/database.ts";
import type { FuzzedService } from "./service.ts";

type ImageRow = Row & {
  readonly id: string;
  readonly status: string;
  readonly deleted: number;
  readonly size: number | null;
  readonly checksum: string | null;
  readonly visibility: string | null;
  readonly is_public: number | null;
};

/** All that is wrong, a line each. */
export async function wrongStates(service: FuzzedService): Promise<readonly string[]> {
  const { db } = service;
  const images = await db.query<ImageRow>(
    "select id, status, deleted, size, checksum, visibility, is_public from images",
  );
  const locations = await db.query<Row & { image_id: string; value: string }>(
    "select image_id, value from image_locations where deleted = 0",
  );
  const byImage = Map.groupBy(locations, ({ image_id }) => image_id);
  const lines = await Promise.all(images.map((image) => imageMistake(image, urlsOf(byImage.get(image.id)), service)));
  return [
    ...lines.filter((line) => line !== null),
    ...(await leftovers(db)),
    ...(await strayFiles(
      service,
      images,
      locations.map(({ value }) => String(value)),
    )),
  ];
}

const urlsOf = (rows: readonly { value: string }[] = []) => rows.map(({ value }) => value);

async function imageMistake(
  image: ImageRow,
  urls: readonly string[],
  { folders }: FuzzedService,
): Promise<string | null> {
  const wrong = (what: string) => `image ${image.id} (${image.status}, size ${image.size}): ${what}`;
  if (image.deleted) return image.status === "deleted" && urls.length === 0 ? null : wrong("deleted, and not quite");
  if (image.is_public !== (image.visibility === "public" ? 1 : 0))
    return wrong(`visibility ${image.visibility} beside is_public ${image.is_public}`);
  switch (image.status) {
    case "queued":
      return urls.length === 0 && image.size === null && image.checksum === null ? null : wrong(`has data: ${urls}`);
    case "uploading":
      return urls.length === 0 && (await exists(folders.staging, image.id))
        ? null
        : wrong("its staged data is missing");
    case "active":
    case "deactivated":
      if (urls.length === 0 || image.size === null) return wrong("has no data");
      for (const url of urls) {
        const mistake = await dataMistake(image, url);
        if (mistake !== null) return wrong(mistake);
      }
      return null;
    default:
      return wrong("is left in it");
  }
}

async function dataMistake({ size, checksum }: ImageRow, url: string): Promise<string | null> {
  if (!url.startsWith("file://")) return null;
  const data = await readFile(fileURLToPath(url)).catch(() => null);
  if (data === null) return `${url} is missing`;
  if (data.length !== size) return `${url} has ${data.length} bytes`;
  return checksum === null || createHash("md5").update(data).digest("hex") === checksum ? null : `${url} is other data`;
}

async function exists(folder: string, name: string): Promise<boolean> {
  return (await readdir(folder)).includes(name);
}

/** Rows that should be none. Nodes of before Ussuri let clients set a property that is called like the lock. */
const leftoverQueries: Readonly<Record<string, string>> = {
  "a lease of an upload": "select image_id as id from perennial_uploads",
  "a lease of an import": "select image_id as id from perennial_imports",
  "a task that nobody ends": "select id from tasks where deleted = 0 and status in ('pending', 'processing')",
  "the lock of an import":
    "select image_id as id from image_properties where deleted = 0 and name = 'os_glance_import_task' and value in (select id from tasks)",
  "a property of a deleted image": childOfDeleted("image_properties"),
  "a tag of a deleted image": childOfDeleted("image_tags"),
  "a member of a deleted image": childOfDeleted("image_members"),
  "a property twice": twice("image_properties", "name"),
  "a tag twice": twice("image_tags", "value"),
  "a member twice": twice("image_members", "member"),
  "a location twice": twice("image_locations", "value"),
  "an object without a namespace": orphan("metadef_objects"),
  "a definition without a namespace": orphan("metadef_properties"),
  "a word without a namespace": orphan("metadef_tags"),
  "an association without a namespace":
    "select namespace_id as id from metadef_namespace_resource_types where namespace_id not in (select id from metadef_namespaces)",
};

function childOfDeleted(table: string): string {
  return `select image_id as id from ${table} where deleted = 0 and image_id in (select id from images where deleted = 1)`;
}

function twice(table: string, column: string): string {
  return `select image_id as id from ${table} where deleted = 0 group by image_id, ${column} having count(*) > 1`;
}

function orphan(table: string): string {
  return `select id from ${table} where namespace_id not in (select id from metadef_namespaces)`;
}

async function leftovers(db: Database): Promise<readonly string[]> {
  const found: string[] = [];
  for (const [what, query] of Object.entries(leftoverQueries))
    for (const { id } of await db.query(query)) found.push(`${what} is left: ${id}`);
  return found;
}

/** Every file is some live location's, and staged data some image's that waits for its import. */
async function strayFiles(
  { folders }: FuzzedService,
  images: readonly ImageRow[],
  urls: readonly string[],
): Promise<readonly string[]> {
  const owned = new Set(urls.filter((url) => url.startsWith("file://")).map((url) => fileURLToPath(url)));
  const staged = new Set(
    images.filter(({ status }) => status === "uploading").map(({ id }) => join(folders.staging, id)),
  );
  const files: string[] = [];
  for (const folder of [...folders.stores, folders.staging])
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
      if (entry.isFile()) files.push(join(entry.parentPath, entry.name));
  return files.filter((file) => !owned.has(file) && !staged.has(file)).map((file) => `nobody's file is left: ${file}`);
}

// Images as version 2 of the API shows them, and what of one a copy has to have: whatever somebody said of it, and its data. What a service
// makes up itself (times, places, links) is its own.

export type ImageRecord = {
  readonly id: string;
  readonly status: string;
  readonly name?: string | null;
  readonly size?: number | null;
  readonly checksum?: string | null;
  readonly os_hash_algo?: string | null;
  readonly os_hash_value?: string | null;
  readonly [field: string]: unknown;
};

export type Difference = { readonly field: string; readonly source: unknown; readonly target: unknown };

/** Fields that are left out where nobody says which, as by the reference. */
export const dontReplicateDefault = "created_at date deleted_at location updated_at";

/** Each service's own. */
const own = new Set([
  "self",
  "file",
  "schema",
  "direct_url",
  "locations",
  "stores",
  "virtual_size",
  "created_at",
  "updated_at",
  "deleted_at",
]);
/** What follows from the data. */
const ofData = new Set(["status", "size", "checksum", "os_hash_algo", "os_hash_value"]);
/** Fields that older services do not have, with what they mean there. */
const absentMeans: Readonly<Record<string, unknown>> = { os_hidden: false };

/** An image of a service, of a file, of anybody: whether it is one, is looked at here. */
export function isImageRecord(value: unknown): value is ImageRecord {
  if (typeof value !== "object" || value === null || !("id" in value) || !("status" in value)) return false;
  // The id becomes a path and a file's name.
  return typeof value.id === "string" && isImageId(value.id) && typeof value.status === "string";
}

export function isImageId(text: string): boolean {
  return /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text);
}

/** For lines about it. */
export function labelOf({ id, name }: ImageRecord): string {
  // A terminal shall not obey it.
  return typeof name === "string" && name !== "" ? `${id} (${name.replaceAll(/\p{C}/gu, "?")})` : id;
}

/** What a new image is made with. */
export function creatable(image: ImageRecord, left: ReadonlySet<string>): Readonly<Record<string, unknown>> {
  const said = Object.entries(image).filter(
    ([field, value]) => isSaid(field, left) && !isAbsent(field, value) && value !== null,
  );
  return { ...Object.fromEntries(said), id: image.id };
}

/** Where the target lacks what the source has; what the target has besides is its own. */
export function differences(
  source: ImageRecord,
  target: ImageRecord,
  left: ReadonlySet<string>,
): readonly Difference[] {
  const fields = Object.keys(source).filter((field) => isSaid(field, left));
  const said = fields.flatMap((field) => {
    const [here, there] = [source[field] ?? null, target[field] ?? null];
    if (equal(here, there) || (there === null && isAbsent(field, here))) return [];
    return [{ field, source: here, target: there }];
  });
  return [...dataDifferences(source, target).filter(({ field }) => !left.has(field)), ...said];
}

/** Of status and data. Two services need not hash alike: then the checksum, and the size, have to do. */
export function dataDifferences(source: ImageRecord, target: ImageRecord): readonly Difference[] {
  const hashesAlike = source.os_hash_algo != null && source.os_hash_algo === target.os_hash_algo;
  const fields = ["status", "size", ...(hashesAlike ? ["os_hash_value"] : []), "checksum"];
  return fields.flatMap((field) => {
    const [here, there] = [source[field] ?? null, target[field] ?? null];
    // FIPS leaves the checksum out.
    if (here === there || (field === "checksum" && (here === null || there === null))) return [];
    return [{ field, source: here, target: there }];
  });
}

export type PatchStep = { readonly op: "add" | "replace"; readonly path: string; readonly value: unknown };

/** What makes the target say what the source says. */
export function patchFor(found: readonly Difference[], target: ImageRecord): readonly PatchStep[] {
  return found
    .filter(({ field }) => !ofData.has(field))
    .map(({ field, source }) => ({
      op: field in target ? "replace" : "add",
      path: `/${field.replaceAll("~", "~0").replaceAll("/", "~1")}`,
      value: source,
    }));
}

/**
 * What version 1 wrote, whose dumps may still lie about, in the words of version 2; other records as they are.
 */
export function inVersion2(record: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (!("is_public" in record) || "visibility" in record) return record;
  const { is_public: isPublic, properties, deleted: _deleted, deleted_at: _at, location: _place, ...rest } = record;
  return { ...(properties as object | undefined), ...rest, visibility: isPublic === true ? "public" : "private" };
}

function isSaid(field: string, left: ReadonlySet<string>): boolean {
  return field !== "id" && !own.has(field) && !ofData.has(field) && !field.startsWith("os_glance_") && !left.has(field);
}

function isAbsent(field: string, value: unknown): boolean {
  return field in absentMeans && absentMeans[field] === value;
}

/** Tags have no order. */
function equal(here: unknown, there: unknown): boolean {
  return JSON.stringify(sorted(here)) === JSON.stringify(sorted(there));
}

function sorted(value: unknown): unknown {
  return Array.isArray(value) ? [...value].sort() : value;
}

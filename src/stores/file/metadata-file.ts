// filesystem_store_metadata_file: what the operator wants noted with the locations of a data directory, for clients that reach it themselves.
import { readFileSync } from "node:fs";
import { errorText } from "../../core/errors.ts";
import { invalid } from "../config.ts";

type Entry = Readonly<Record<string, unknown>> & { readonly mountpoint: string };

/** One object, or a list of them, each with `id` and `mountpoint`. Throws config.invalid. */
export function readMetadataFile(section: string, file: string): readonly Entry[] {
  const refuse = (what: string) => invalid(section, "filesystem_store_metadata_file", file, what);
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw refuse(`it cannot be read as JSON (${errorText(error)}).`);
  }
  const entries: readonly unknown[] = Array.isArray(content) ? content : [content];
  if (!entries.every(isEntry))
    throw refuse('it must hold an object with the texts "id" and "mountpoint", or a list of such.');
  return entries;
}

/** The entry whose mount point the directory is, or lies below. */
export function metadataOf(entries: readonly Entry[], directory: string): Entry | undefined {
  return entries.find(({ mountpoint }) => `${directory}/`.startsWith(`${mountpoint.replace(/\/+$/, "")}/`));
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== "object" || value === null || !("id" in value) || !("mountpoint" in value)) return false;
  return typeof value.id === "string" && typeof value.mountpoint === "string";
}

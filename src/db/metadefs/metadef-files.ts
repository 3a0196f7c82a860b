// Files of metadata definitions: which ones a path means, and how they are read and written.
import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorText, ServiceError } from "../../core/errors.ts";
import { parseExactJson } from "../../core/exact-json.ts";
import type { MetadefNamespace } from "../../metadefs/metadef.ts";
import { namespaceFromJson, namespaceToJson } from "./namespace.ts";

/** The file itself, or the *.json files of a folder in order. Throws metadefs.bad_file where there is none. */
export async function metadefFiles(path: string): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const entries = await readdir(path, { withFileTypes: true });
    const names = entries.filter((one) => !one.isDirectory() && one.name.endsWith(".json")).map((one) => one.name);
    if (names.length > 0) return names.sort().map((name) => join(path, name));
  } catch (error) {
    throw badFile(path, errorText(error), error);
  }
  throw badFile(path, "the folder has no *.json file; name another with --path");
}

/** Throws metadefs.bad_file, which names the file and what is wrong in it. */
export async function readMetadefFile(path: string): Promise<MetadefNamespace> {
  try {
    return namespaceFromJson(parseExactJson(await readFile(path, "utf8")));
  } catch (error) {
    throw badFile(path, error instanceof SyntaxError ? `not JSON: ${error.message}` : errorText(error), error);
  }
}

/**
 * Writes one file per namespace into `folder`, made where it is missing. Each replaces its predecessor whole, or not at all; other
 * files stay. Returns the paths. Throws metadefs.bad_file where a file cannot be written.
 */
export async function writeMetadefFiles(
  folder: string,
  namespaces: readonly MetadefNamespace[],
): Promise<readonly string[]> {
  const paths: string[] = [];
  try {
    await mkdir(folder, { recursive: true });
    for (const [name, one] of fileNames(namespaces)) {
      const path = join(folder, name);
      await replaceFile(path, `${JSON.stringify(namespaceToJson(one), null, 4)}\n`);
      paths.push(path);
    }
    await flush(folder);
  } catch (error) {
    throw badFile(folder, errorText(error), error);
  }
  return paths;
}

/**
 * As the reference names them, by the letters and digits of the display name; by those of the namespace where that says nothing or is
 * taken, which the reference would overwrite.
 */
function fileNames(namespaces: readonly MetadefNamespace[]): ReadonlyMap<string, MetadefNamespace> {
  const taken = new Set<string>();
  const files = new Map<string, MetadefNamespace>();
  for (const one of namespaces) {
    const letters = (text: string | null) => (text ?? "").replaceAll(/[^\p{L}\p{N}]+/gu, "");
    const spare = letters(one.namespace) || "namespace";
    let name = letters(one.displayName) || spare;
    for (let n = 1; taken.has(name.toLowerCase()); n++) name = n === 1 ? spare : `${spare}${n}`;
    taken.add(name.toLowerCase());
    files.set(`${name}.json`, one);
  }
  return files;
}

async function replaceFile(path: string, text: string): Promise<void> {
  const partial = `${path}.${randomUUID()}.partial`;
  try {
    const file = await open(partial, "wx");
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

async function flush(folder: string): Promise<void> {
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export function badFile(path: string, what: string, cause?: unknown): ServiceError {
  return new ServiceError("metadefs.bad_file", `${path}: ${what}`, { facts: { file: path }, cause });
}

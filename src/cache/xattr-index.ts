// The index of a node's image cache that is nothing beside the copies: hits stand in an attribute of each file, size and times are the file's
// own. This is the reference's form, so that either takes over what the other has cached:
//
//   user.hits              decimal; a file without it is none of this index yet
//   user.perennial_md5     MD5 of the data, hex; ours alone, the reference leaves it be and never writes into a file that stands
//   time of last access    when it was last read
import { randomUUID } from "node:crypto";
import { readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorText, ServiceError } from "../core/errors.ts";
import { incompleteFolder, isCode, isImageId, missingIs } from "./cache-folder.ts";
import type { CacheIndex, CacheRow } from "./cache-index.ts";
import { type ExtendedAttributes, loadExtendedAttributes } from "./extended-attributes.ts";

const hitsName = "user.hits";
const md5Name = "user.perennial_md5";

/** `directory`: absolute, and prepared. Throws config.invalid where its file system keeps no such attributes. */
export async function openXattrIndex(directory: string): Promise<CacheIndex> {
  const attributes = await usableAttributes(directory);
  const pathOf = (imageId: string) => join(directory, imageId);

  const find = (imageId: string): Promise<CacheRow | undefined> =>
    missingIs(undefined, async () => {
      const file = await stat(pathOf(imageId));
      const hits = attributes.get(pathOf(imageId), hitsName);
      if (!file.isFile() || hits === undefined) return undefined;
      return {
        imageId,
        sizeBytes: file.size,
        hits: countIn(hits),
        lastAccessedMs: file.atimeMs,
        lastModifiedMs: file.mtimeMs,
        checksum: attributes.get(pathOf(imageId), md5Name) ?? null,
        rowId: null,
      };
    });

  /** While an image is filled its data has no name yet, and will take its attributes along when it gets one. */
  const filesOf = async (imageId: string): Promise<readonly string[]> => {
    const unfinished = await readdir(join(directory, incompleteFolder));
    const partial = unfinished.filter((name) => name.startsWith(`${imageId}.`));
    return partial.length > 0 ? partial.map((name) => join(directory, incompleteFolder, name)) : [pathOf(imageId)];
  };

  return {
    find,

    async list() {
      const rows: CacheRow[] = [];
      // One after the other: the calls in between belong to everybody else.
      for (const name of await readdir(directory)) {
        const row = isImageId(name) ? await find(name) : undefined;
        if (row) rows.push(row);
      }
      return rows;
    },

    async record({ imageId, checksum, atMs }) {
      for (const path of await filesOf(imageId))
        await missingIs(undefined, async () => {
          await utimes(path, atMs / 1000, atMs / 1000);
          if (checksum === null) attributes.remove(path, md5Name);
          else attributes.set(path, md5Name, checksum);
          // The last, for it makes the row: who dies before leaves none.
          attributes.set(path, hitsName, "0");
        });
    },

    async hit(imageId, atMs) {
      const path = pathOf(imageId);
      await missingIs(undefined, async () => {
        const { mtimeMs } = await stat(path);
        // Nothing comes between the two in this process; of two processes in the same instant one may count for both, as in the reference.
        const hits = attributes.get(path, hitsName);
        if (hits === undefined) return;
        attributes.set(path, hitsName, String(countIn(hits) + 1));
        // The system may note no reading, or only the first of a day.
        await utimes(path, atMs / 1000, mtimeMs / 1000);
      });
    },

    async remove(imageId) {
      await missingIs(undefined, async () => {
        attributes.remove(pathOf(imageId), hitsName);
        attributes.remove(pathOf(imageId), md5Name);
      });
    },

    close: async () => undefined,
  };
}

function countIn(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}

/** Tried on a file of its own: some file systems have such attributes only where they were mounted so. */
async function usableAttributes(directory: string): Promise<ExtendedAttributes> {
  // A process that dies here leaves a file that is removed like anything unfinished.
  const probe = join(directory, incompleteFolder, `check.${randomUUID()}`);
  try {
    const attributes = await loadExtendedAttributes();
    await writeFile(probe, "", { flag: "wx" });
    attributes.set(probe, hitsName, "0");
    return attributes;
  } catch (error) {
    const why = isCode(error, "ENOTSUP")
      ? `the file system of ${directory} keeps no extended attributes (user.*): mount it so that it does`
      : `extended attributes cannot be used in ${directory} (${errorText(error)}): set that right`;
    throw new ServiceError(
      "config.invalid",
      `[DEFAULT] image_cache_driver is xattr, but ${why}, or set image_cache_driver = sqlite; the copies are kept.`,
      { facts: { section: "DEFAULT", option: "image_cache_driver" }, cause: error },
    );
  } finally {
    await rm(probe, { force: true });
  }
}

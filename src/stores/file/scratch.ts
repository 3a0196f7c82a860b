// Files that work on an image's data needs beside it, for programs that take files and no streams. They are partial data of the image: a store's
// `remove` takes them away, so that none outlives the image whatever becomes of the process.
import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { BlobPaths } from "./blob-path.ts";

export type Scratch = {
  /** Where a file store of the same directory has the complete data of a key. */
  whole(key: string): string;
  /** The path of a file that is not there yet, in a folder that is. Throws what the system says. */
  fresh(key: string): Promise<string>;
};

/** `dataDirectory`: that of a file store. */
export function openScratch(dataDirectory: string): Scratch {
  const paths = new BlobPaths(dataDirectory);
  return {
    whole: (key) => paths.blob(key),
    async fresh(key) {
      await mkdir(paths.partialDirectory, { recursive: true });
      return paths.partial(key, randomUUID());
    },
  };
}

// Tests of the cache, once with an index that knows of no file and once with the one that is in the files.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isCode } from "../cache-folder.ts";
import { loadExtendedAttributes } from "../extended-attributes.ts";
import { openXattrIndex } from "../xattr-index.ts";
import { TestCache } from "./test-cache.ts";

/**
 * Why tests in the folder for temporary files cannot use extended attributes; false where they can. Known when this file is imported: a test
 * file that waits between its tests is taken for ended.
 */
export const noXattrs = await whyNoXattrs();

async function whyNoXattrs(): Promise<string | false> {
  const folder = await mkdtemp(join(tmpdir(), "perennial-xattr-"));
  try {
    await writeFile(join(folder, "file"), "");
    (await loadExtendedAttributes()).set(join(folder, "file"), "user.hits", "0");
    return false;
  } catch (error) {
    if (!isCode(error, "ENOTSUP")) throw error;
    return `this machine keeps no extended attributes in ${tmpdir()}`;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A test for each index, with a cache of its own. */
export function testOnIndexes(title: string, work: (place: TestCache) => Promise<void>): void {
  test(title, async () => {
    await using place = await TestCache.make();
    await work(place);
  });
  test(`${title} (xattr)`, { skip: noXattrs }, async () => {
    await using place = await TestCache.make(openXattrIndex);
    await work(place);
  });
}

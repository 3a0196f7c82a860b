// The layout of a cache's folder, which is the reference's, so that its tools and ours can follow each other on one disk:
//
//   <image id>               a whole image
//   incomplete/<image id>    an empty marker: somebody fills this image now; its time is renewed while that process lives
//   incomplete/<id>.<random> what was written so far
//   queue/<image id>         an empty file: to be fetched
//   invalid/                 copies of the reference that did not verify
import { mkdir, open, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";

/** Renewed far more often than a marker may be silent. */
export const renewMs = 20_000;
/** The process is dead that let its marker be silent for so long. */
const silentMsMax = 90_000;

export const incompleteFolder = "incomplete";
const queueFolder = "queue";
const invalidFolder = "invalid";

/** Only such names are images': the index of the sqlite driver lies in the same folder, under a name of the operator's. */
const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isImageId(name: string): boolean {
  return idPattern.test(name);
}

export type CachedFile = { readonly imageId: string; readonly sizeBytes: number; readonly modifiedMs: number };

export class CacheFolder {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Creates what is missing. Throws what the system says. */
  async prepare(): Promise<void> {
    for (const folder of [incompleteFolder, queueFolder, invalidFolder])
      await mkdir(join(this.#directory, folder), { recursive: true });
  }

  /** The whole images. */
  async files(): Promise<readonly CachedFile[]> {
    const names = (await readdir(this.#directory)).filter((name) => isImageId(name));
    const found = await Promise.all(
      names.map(async (imageId) => {
        const file = await missingIs(undefined, () => stat(join(this.#directory, imageId)));
        return file?.isFile() ? [{ imageId, sizeBytes: file.size, modifiedMs: file.mtimeMs }] : [];
      }),
    );
    return found.flat();
  }

  /** False where another process that lives is about to fill this image. What a dead one left behind is removed. */
  async claim(imageId: string, nowMs: number): Promise<boolean> {
    if (await this.#createEmpty(incompleteFolder, imageId)) return true;
    const marker = await missingIs(undefined, () => stat(this.#path(incompleteFolder, imageId)));
    // The reference writes its data under this name: that is left to the stall time.
    if (marker && (marker.size > 0 || nowMs - marker.mtimeMs < silentMsMax)) return false;
    await this.abandon(imageId);
    return this.#createEmpty(incompleteFolder, imageId);
  }

  /** Tells others that the filling process lives. */
  async renew(imageId: string): Promise<void> {
    const now = new Date();
    await missingIs(undefined, () => utimes(this.#path(incompleteFolder, imageId), now, now));
  }

  async release(imageId: string): Promise<void> {
    await rm(this.#path(incompleteFolder, imageId), { force: true });
  }

  /** Takes the marker and what was written so far away, even from a process that fills: it will fail. */
  async abandon(imageId: string): Promise<void> {
    for (const name of await readdir(join(this.#directory, incompleteFolder)))
      if (name === imageId || name.startsWith(`${imageId}.`))
        await rm(this.#path(incompleteFolder, name), { force: true });
  }

  /** Images that somebody fills, or died filling. */
  async claimed(): Promise<ReadonlySet<string>> {
    return new Set((await readdir(join(this.#directory, incompleteFolder))).filter((name) => isImageId(name)));
  }

  /** Removes what nobody has touched for so long from `incomplete` and `invalid`; how many files. */
  async removeStalled(stallMs: number, nowMs: number): Promise<number> {
    let removed = 0;
    for (const folder of [incompleteFolder, invalidFolder])
      for (const name of await readdir(join(this.#directory, folder))) {
        const file = await missingIs(undefined, () => stat(this.#path(folder, name)));
        if (!file || nowMs - file.mtimeMs < stallMs) continue;
        await rm(this.#path(folder, name), { force: true });
        removed += 1;
      }
    return removed;
  }

  /** False where it is queued already. */
  enqueue(imageId: string): Promise<boolean> {
    return this.#createEmpty(queueFolder, imageId);
  }

  /** False where it was not queued. */
  async dequeue(imageId: string): Promise<boolean> {
    if (!isImageId(imageId)) return false;
    return missingIs(false, async () => {
      await rm(this.#path(queueFolder, imageId));
      return true;
    });
  }

  /** The oldest first. */
  async queued(): Promise<readonly string[]> {
    const names = (await readdir(join(this.#directory, queueFolder))).filter((name) => isImageId(name));
    const found = await Promise.all(
      names.map(async (imageId) => {
        const file = await missingIs(undefined, () => stat(this.#path(queueFolder, imageId)));
        return file ? [{ imageId, sinceMs: file.mtimeMs }] : [];
      }),
    );
    return found
      .flat()
      .sort((one, other) => one.sinceMs - other.sinceMs)
      .map(({ imageId }) => imageId);
  }

  async #createEmpty(folder: string, name: string): Promise<boolean> {
    try {
      await (await open(this.#path(folder, name), "wx")).close();
      return true;
    } catch (error) {
      if (isCode(error, "EEXIST")) return false;
      throw error;
    }
  }

  #path(folder: string, name: string): string {
    return join(this.#directory, folder, name);
  }
}

/** Several processes work on one folder: what one of them has just removed is no failure of the other. */
export async function missingIs<T>(otherwise: T, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isCode(error, "ENOENT")) return otherwise;
    throw error;
  }
}

/** Whether the system failed with this code. */
export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

// The file store, in the reference's layout: <data directory>/<image id>. A blob appears under its name only when it is complete and on the
// disk; until then it is a partial file in a folder of its own.
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, type FileHandle, link, mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { addAbortSignal, type Readable } from "node:stream";
import { ServiceError } from "../../core/errors.ts";
import type { ByteRange, PutOptions, Store, StoredBlob } from "../store.ts";
import { BlobPaths } from "./blob-path.ts";
import { openBlob } from "./blob-reader.ts";
import { writeBlob } from "./blob-writer.ts";
import { errorCode, storeError } from "./file-errors.ts";

export type FileStoreOptions = {
  /** Absolute path. */
  readonly dataDirectory: string;
  /** Mode bits of finished files; null: the umask decides. */
  readonly filePermissions: number | null;
  readonly readBytes: number;
  /** Stretches of zeros take no room; absent: they do. */
  readonly sparse?: boolean;
  /** What is noted with each location; absent: nothing. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Data is taken in faster than the disk writes it, and waited for at the end; absent: the two keep step, so that the end is soon. */
  readonly lateFlush?: boolean;
  /** Name of the folder of unfinished files in the data directory; absent: a hidden one. */
  readonly partialFolder?: string;
};

/** Creates the data directory where it is missing, as the reference does. Throws config.invalid where that cannot be done. */
export async function openFileStore(options: FileStoreOptions): Promise<Store> {
  const paths = new BlobPaths(options.dataDirectory, options.partialFolder);
  try {
    await mkdir(paths.dataDirectory, { recursive: true });
  } catch (error) {
    throw new ServiceError(
      "config.invalid",
      `filesystem_store_datadir: ${paths.dataDirectory} cannot be used as a directory (${errorCode(error)}).`,
      { cause: error },
    );
  }
  return new FileStore(paths, options);
}

/** The keys of all data in such a directory, complete or partial; names of other files may be among them. Throws what the system says. */
export async function listBlobs(dataDirectory: string): Promise<readonly string[]> {
  const paths = new BlobPaths(dataDirectory);
  const partial = (await partialNames(paths)).map((name) => name.slice(0, Math.max(0, name.indexOf("."))));
  const complete = (await readdir(paths.dataDirectory)).filter((name) => !name.startsWith("."));
  return [...new Set([...complete, ...partial])];
}

class FileStore implements Store {
  readonly properties: Store["properties"];
  readonly #paths: BlobPaths;
  readonly #options: FileStoreOptions;

  constructor(paths: BlobPaths, options: FileStoreOptions) {
    this.#paths = paths;
    this.#options = options;
    this.properties = {
      schemes: ["file", "filesystem"],
      writable: true,
      confined: true,
      shown: {
        data_dir: paths.dataDirectory,
        chunk_size: options.readBytes,
        thin_provisioning: options.sparse ?? false,
      },
    };
  }

  owns(url: string): boolean {
    return this.#paths.isUrlOf(url);
  }

  locationFor(key: string): string {
    return this.#paths.url(key);
  }

  async put(key: string, source: Readable, options: PutOptions): Promise<StoredBlob> {
    const blob = this.#paths.blob(key);
    const partial = this.#paths.partial(key, randomUUID());
    let file: FileHandle | undefined;
    let published = false;
    try {
      options.signal.throwIfAborted();
      addAbortSignal(options.signal, source);
      await this.#refuseTaken(blob, key);
      await this.#refuseWithoutRoom(options.expectedBytes ?? 0);
      await makePartialDirectory(this.#paths.partialDirectory);
      file = await open(partial, "wx");
      const sizeBytes = await writeBlob(file, source, {
        sparse: this.#options.sparse ?? false,
        lateFlush: this.#options.lateFlush ?? false,
      });
      if (this.#options.filePermissions !== null) await file.chmod(this.#options.filePermissions);
      await file.close();
      file = undefined;
      options.signal.throwIfAborted();
      await publish(partial, blob);
      published = true;
      // Fails only where remove() was faster, or takes it along later: the blob stands under its name.
      await rm(partial, { force: true }).catch(() => undefined);
      await syncDirectory(this.#paths.dataDirectory);
      const { metadata } = this.#options;
      return { url: this.#paths.url(key), sizeBytes, ...(metadata ? { metadata } : {}) };
    } catch (error) {
      // Asked before the source is destroyed: what it died of by itself is for the caller, unchanged.
      const ofSource = error === source.errored || errorCode(error) === "ERR_STREAM_PREMATURE_CLOSE";
      source.on("error", () => undefined).destroy();
      // What cannot be removed now is found again by remove(): the first failure is the one to tell.
      await Promise.allSettled([
        file?.close(),
        rm(partial, { force: true }),
        published ? rm(blob, { force: true }) : undefined,
      ]);
      options.signal.throwIfAborted();
      if (ofSource) throw error;
      throw this.#putError(error, key);
    }
  }

  open(url: string, options: { signal: AbortSignal; range?: ByteRange }): Promise<Readable> {
    return openBlob(this.#paths, url, { ...options, readBytes: this.#options.readBytes });
  }

  async size(url: string): Promise<number> {
    const key = await this.#paths.keyOf(url);
    if (key === undefined) throw notHere(url);
    try {
      return (await stat(this.#paths.blob(key))).size;
    } catch (error) {
      throw storeError(error, `Reading the size of image ${key}`, { url });
    }
  }

  async remove(url: string): Promise<void> {
    const key = await this.#paths.keyOf(url);
    if (key === undefined) throw notHere(url);
    try {
      // Partial files first: a put that wants to publish one afterwards finds it gone, one that did so before is removed by the second step.
      for (const name of await partialNames(this.#paths))
        if (this.#paths.isPartialOf(key, name)) await rm(join(this.#paths.partialDirectory, name), { force: true });
      await rm(this.#paths.blob(key), { force: true });
    } catch (error) {
      // Mounted, or held by another machine of a shared file system that locks what it uses.
      if (["EBUSY", "ETXTBSY"].includes(errorCode(error)))
        throw new ServiceError("stores.in_use", `The data of image ${key} is in use and cannot be removed.`, {
          facts: { url },
          cause: error,
        });
      throw storeError(error, `Removing the data of image ${key}`, { url });
    }
  }

  async close(): Promise<void> {}

  async #refuseTaken(blob: string, key: string): Promise<void> {
    const found = await stat(blob).catch((error: unknown) => {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    });
    if (found) throw blobExists(key);
  }

  async #refuseWithoutRoom(bytes: number): Promise<void> {
    if (bytes <= 0) return;
    const { bavail, bsize } = await statfs(this.#paths.dataDirectory);
    if (bytes > bavail * bsize)
      throw new ServiceError("stores.full", `The store has no room for ${bytes} bytes.`, {
        facts: { bytes, freeBytes: bavail * bsize, directory: this.#paths.dataDirectory },
      });
  }

  #putError(error: unknown, key: string): ServiceError {
    const facts = { directory: this.#paths.dataDirectory, key };
    switch (errorCode(error)) {
      case "EEXIST":
        return blobExists(key);
      case "ENOENT":
      case "ENOTDIR":
        // The data directory went away (an unmounted share), or remove() took the partial file to fence this put.
        return new ServiceError("stores.unavailable", `Storing image ${key}: its folder or its partial file is gone.`, {
          facts,
          cause: error,
        });
      default:
        return storeError(error, `Storing image ${key}`, facts);
    }
  }
}

/** Gives a finished file its name, unless the name is taken: a link refuses (EEXIST) where a rename would silently replace. */
async function publish(partial: string, blob: string): Promise<void> {
  try {
    await link(partial, blob);
  } catch (error) {
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(errorCode(error))) throw error;
    // File systems without hard links: the check and the rename are two steps there, which leases keep apart from each other.
    const taken = await stat(blob).then(
      () => true,
      () => false,
    );
    if (taken) throw Object.assign(new Error("the name is taken"), { code: "EEXIST" });
    await rename(partial, blob);
  }
}

/** Not recursive: where the data directory itself is gone, say an unmounted share, nothing may be written in its place. */
async function makePartialDirectory(path: string): Promise<void> {
  await mkdir(path).catch((error: unknown) => {
    if (errorCode(error) !== "EEXIST") throw error;
  });
}

/** Without it the name of a finished file may be lost in a power failure although its data is safe. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** None where nothing was ever put. Where the data directory itself is gone, an answer would be a lie: its blobs may come back with it. */
async function partialNames(paths: BlobPaths): Promise<readonly string[]> {
  try {
    return await readdir(paths.partialDirectory);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    await access(paths.dataDirectory).catch((cause: unknown) => {
      throw new ServiceError("stores.unavailable", "The store's data directory is gone.", {
        facts: { directory: paths.dataDirectory },
        cause,
      });
    });
    return [];
  }
}

function blobExists(key: string): ServiceError {
  return new ServiceError("stores.blob_exists", `The store already holds data of image ${key}.`, { facts: { key } });
}

function notHere(url: string): ServiceError {
  return new ServiceError(
    "stores.blob_not_found",
    "The location lies outside this store's data directory and is left alone.",
    {
      facts: { url },
    },
  );
}

// A cache in a folder of its own, as one or several processes of a node see it, with a clock that can be put forward.
import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../core/clock.ts";
import { silentLogger } from "../../core/logger.ts";
import type { CacheableImage } from "../../images/ports.ts";
import { openFileStore } from "../../stores/file/file-store.ts";
import { CacheFolder, incompleteFolder } from "../cache-folder.ts";
import type { CacheIndex } from "../cache-index.ts";
import { FileCache } from "../file-cache.ts";
import { memoryIndex } from "./memory-index.ts";

/** `directory`: the cache's, prepared. */
type OpenTestIndex = (directory: string) => Promise<CacheIndex>;

export class TestCache implements AsyncDisposable {
  readonly directory: string;
  readonly index: CacheIndex;
  /** Added to the time of day. */
  aheadMs = 0;
  readonly #opened: FileCache[] = [];

  private constructor(directory: string, index: CacheIndex) {
    this.directory = directory;
    this.index = index;
  }

  static async make(openIndex: OpenTestIndex = async () => memoryIndex()): Promise<TestCache> {
    const directory = await mkdtemp(join(tmpdir(), "perennial-cache-"));
    await new CacheFolder(directory).prepare();
    return new TestCache(directory, await openIndex(directory));
  }

  /** The cache as one more process of the node has it. */
  async open(options: { bytesMax?: number; stallSeconds?: number } = {}): Promise<FileCache> {
    const folder = new CacheFolder(this.directory);
    const store = await openFileStore({
      dataDirectory: this.directory,
      filePermissions: null,
      readBytes: 65_536,
      partialFolder: incompleteFolder,
      lateFlush: true,
    });
    const cache = new FileCache({
      folder,
      store,
      index: this.index,
      bytesMax: options.bytesMax ?? 100_000_000,
      stallSeconds: options.stallSeconds ?? 86_400,
      logger: silentLogger,
      clock: { ...systemClock, nowMs: () => Date.now() + this.aheadMs },
    });
    this.#opened.push(cache);
    return cache;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cache of this.#opened) await cache.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

export function imageOf(data: Buffer, id: string = randomUUID()): CacheableImage {
  return { id, status: "active", sizeBytes: data.length, checksum: createHash("md5").update(data).digest("hex") };
}

// A folder with the images of a service: ID.img is the data of an image and ID what the service said of it, as the reference writes them.
// ID is written last and each file by a rename, so that what a killed dump leaves is never taken for an image.
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { errorText } from "../../core/errors.ts";
import { replaceFile } from "../../rollout/replace-file.ts";
import { ClientFailure } from "../client-failure.ts";
import { type ImageRecord, inVersion2, isImageId, isImageRecord, labelOf } from "./image-record.ts";

export class ImageDump {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes the folder where it is missing, for nobody else to read. Throws ClientFailure. */
  async prepare(): Promise<void> {
    await mkdir(this.folder, { mode: 0o700 }).catch((error: unknown) => {
      if (isCode(error, "EEXIST")) return;
      throw new ClientFailure(`${this.folder} cannot be made (${errorText(error)}); make the folder above it first`);
    });
  }

  /** What stands there of the image; null: nothing. `whole`: its data, too. */
  async find(id: string): Promise<{ readonly text: string; readonly whole: boolean } | null> {
    const text = await readFile(this.#record(id), "utf8").catch(nothingAt);
    if (text === undefined) return null;
    const record = parse(text);
    return { text, whole: record !== null && (await this.#hasData(record)) };
  }

  /** Throws ClientFailure where there is no room for it, and what `data` fails with; nothing of it stays then. */
  async putData({ id }: ImageRecord, data: Readable, signal: AbortSignal): Promise<void> {
    const partial = `${this.#data(id)}.partial`;
    try {
      await pipeline(data, createWriteStream(partial, { flush: true }), { signal });
      await rename(partial, this.#data(id));
    } catch (error) {
      await rm(partial, { force: true });
      signal.throwIfAborted();
      if (error instanceof ClientFailure) throw error;
      throw new ClientFailure(`${partial} cannot be written: ${errorText(error)}`);
    }
    const folder = await open(dirname(partial), "r");
    await folder.sync().finally(() => folder.close());
  }

  /** Throws ClientFailure. */
  async putRecord(image: ImageRecord): Promise<void> {
    const file = this.#record(image.id);
    await replaceFile(file, recordText(image)).catch((error: unknown) => {
      throw new ClientFailure(`${file} cannot be written: ${errorText(error)}`);
    });
  }

  /** In the order of their ids. Throws ClientFailure where the folder, or a file of an image, cannot be read. */
  async *images(): AsyncGenerator<ImageRecord> {
    const names = await readdir(this.folder).catch((error: unknown) => {
      throw new ClientFailure(`${this.folder} cannot be read: ${errorText(error)}`);
    });
    for (const name of names.filter(isImageId).sort()) {
      const image = parse(await readFile(this.#record(name), "utf8"));
      if (image === null || image.id !== name)
        throw new ClientFailure(`${this.#record(name)} does not describe image ${name}; take it out, or dump it again`);
      yield image;
    }
  }

  /** Throws ClientFailure where it is not there as a whole. */
  async data(image: ImageRecord): Promise<Readable> {
    if (await this.#hasData(image)) return createReadStream(this.#data(image.id), { highWaterMark: 1_048_576 });
    throw new ClientFailure(
      `${this.#data(image.id)} is missing, or not as long as the image of ${labelOf(image)}; dump it again`,
    );
  }

  async #hasData(image: ImageRecord): Promise<boolean> {
    const found = await stat(this.#data(image.id)).catch(nothingAt);
    return found?.size === image.size;
  }

  #record(id: string): string {
    return join(this.folder, id);
  }

  #data(id: string): string {
    return join(this.folder, `${id}.img`);
  }
}

/** Where the data lies in the service's store, which can hold a password, is nobody's concern. */
export function recordText({ locations: _locations, direct_url: _url, ...image }: ImageRecord): string {
  return `${JSON.stringify(image, null, 2)}\n`;
}

function parse(text: string): ImageRecord | null {
  try {
    const record: unknown = JSON.parse(text);
    if (typeof record !== "object" || record === null) return null;
    const image = inVersion2(record as Readonly<Record<string, unknown>>);
    return isImageRecord(image) ? image : null;
  } catch {
    return null;
  }
}

function nothingAt(error: unknown): undefined {
  if (isCode(error, "ENOENT")) return undefined;
  throw new ClientFailure(errorText(error));
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

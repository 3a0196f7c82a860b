// The import plugin image_conversion: a disk image becomes the operator's format on its way. What the data is, is seen by our own inspection, which
// also refuses whatever could lead qemu-img to other files, before that program gets to see a byte.
import { createReadStream, createWriteStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { addAbortSignal, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import { FormatInspection } from "../../formats/inspection.ts";
import { diskFormatOf, refusalOf, virtualBytesOf } from "../../formats/judge.ts";
import type { Image } from "../image.ts";
import type { ImageServicesDeps } from "../services.ts";
import { tooLarge } from "../upload-meter.ts";
import type { Becomes, ImportSource } from "./import-work.ts";
import { convert, isReadable, type ReadableFormat, type WritableFormat } from "./qemu-img.ts";

/** Files beside the staged data; a staging store's `remove` takes them along. */
export type ScratchFiles = {
  /** Where the staged data of an image is. */
  whole(imageId: string): string;
  /** A path beside it at which there is nothing yet. */
  fresh(imageId: string): Promise<string>;
};

type Deps = Pick<ImageServicesDeps, "settings" | "logger"> & { readonly scratch: ScratchFiles };
type Options = {
  readonly image: Image;
  readonly target: WritableFormat;
  /** The source gives the staged file as it is. */
  readonly plain: boolean;
};
type Outcome = {
  /** Of the file with the data; null: the source is to be read as it is. */
  readonly path: string | null;
  /** What the image becomes by it; null: what it was. */
  readonly becomes: Becomes | null;
};

const convertedContainer = "bare";
/** Of one reading of a file. */
const readBytes = 1_048_576;

/** The same data in another format. Opened first, it is looked at and converted as a whole. */
export function convertedSource(deps: Deps, source: ImportSource, { image, target, plain }: Options): ImportSource {
  const files: string[] = [];
  const fresh = async () => {
    const path = await deps.scratch.fresh(image.id);
    files.push(path);
    return path;
  };
  let outcome: Promise<Outcome> | undefined;
  return {
    staged: source.staged,
    async open(signal) {
      outcome ??= outcomeOf(deps, source, { image, target, plain, fresh, signal });
      const { path, becomes } = await outcome;
      if (path === null) return source.open(signal);
      const { size } = await stat(path);
      const stream = addAbortSignal(signal, createReadStream(path, { highWaterMark: readBytes }));
      return { stream, sizeBytes: size, ...(becomes ? { becomes } : {}) };
    },
    async close() {
      await Promise.all(files.map((path) => rm(path, { force: true })));
      await source.close?.();
    },
  };
}

async function outcomeOf(
  deps: Deps,
  source: ImportSource,
  { image, target, plain, fresh, signal }: Options & { fresh: () => Promise<string>; signal: AbortSignal },
): Promise<Outcome> {
  const { scratch, logger, settings } = deps;
  const input = plain ? scratch.whole(image.id) : await fresh();
  const { stream } = await source.open(signal);
  const inspection = new FormatInspection({ vmdkTypes: settings.vmdkTypesAllowed });
  await (plain ? look(stream, inspection) : keep(stream, inspection, { path: input, signal, settings }));
  const format = formatToConvert(inspection, image.diskFormat ?? "raw", settings);
  if (format === null || format === target) return { path: plain ? null : input, becomes: null };
  const virtualBytes = virtualBytesOf(inspection, format);
  if (target === "raw" && (virtualBytes ?? 0) > settings.imageBytesMax)
    throw tooLarge(settings.imageBytesMax, "image_size_cap");
  const output = await fresh();
  const facts = { imageId: image.id, from: format, to: target };
  logger.info(facts, "an image is converted");
  const job = { source: { path: input, format }, target: { path: output, format: target }, signal };
  await convert(job).catch((error: unknown) => {
    if (isServiceError(error)) logger.warn({ ...facts, ...error.facts }, "qemu-img did not convert an image");
    throw error;
  });
  return { path: output, becomes: { diskFormat: target, containerFormat: convertedContainer, virtualBytes } };
}

async function look(stream: Readable, inspection: FormatInspection): Promise<void> {
  for await (const chunk of stream as AsyncIterable<Buffer>) inspection.add(chunk);
  inspection.end();
}

/** What is unpacked on the way may grow, but not beyond what an image may have. */
async function keep(
  stream: Readable,
  inspection: FormatInspection,
  { path, signal, settings }: { path: string; signal: AbortSignal; settings: Deps["settings"] },
): Promise<void> {
  const { imageBytesMax } = settings;
  async function* seen(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      inspection.add(chunk);
      if (inspection.fileBytes > imageBytesMax) throw tooLarge(imageBytesMax, "image_size_cap");
      yield chunk;
    }
  }
  await pipeline(stream, seen, createWriteStream(path, { flags: "wx" }), { signal });
  inspection.end();
}

/**
 * The format qemu-img is told, which is the claimed one and what the data is; null: it stays as it is, as ISO images do, and kernels and others
 * that have no format of their own. Throws images.unfit_data.
 */
function formatToConvert(
  inspection: FormatInspection,
  claimed: string,
  settings: Deps["settings"],
): ReadableFormat | null {
  const refusal = refusalOf(inspection, claimed, settings, true);
  if (refusal) throw unfit(refusal.text);
  const format = diskFormatOf(inspection);
  if (format === "iso" && claimed === "iso") return null;
  if (format === "raw" && !isReadable(claimed)) return null;
  if (format !== claimed) throw unfit(`The data is ${format}, not ${claimed} as disk_format says.`);
  if (!isReadable(format)) throw unfit(`Data that is ${format} cannot be converted.`);
  return format;
}

function unfit(text: string): ServiceError {
  return new ServiceError("images.unfit_data", text);
}

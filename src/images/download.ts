// One download: the first location that can be opened, whole or in part, metered while it flows; or its copy
// in the cache of this node, which the first download fills.
import { pipeline, Readable, Transform } from "node:stream";
import type { Caller } from "../core/caller.ts";
import { errorText, isServiceError, ServiceError } from "../core/errors.ts";
import type { TransferTracker } from "../core/transfers.ts";
import { withoutSecrets } from "../stores/registry.ts";
import type { ByteRange, Store } from "../stores/store.ts";
import { forbidden, foundImage, requireAllowed } from "./access.ts";
import { resolveRange } from "./byte-range.ts";
import { foreignData, isForeign, type OpenOptions, openElsewhere } from "./foreign-data.ts";
import type { Image } from "./image.ts";
import type { CacheFill } from "./ports.ts";
import type { Download, ImageServicesDeps, OpenedData } from "./services.ts";

/** See ImageDataService.download. */
export async function download(
  deps: ImageServicesDeps,
  caller: Caller,
  imageId: string,
  options: OpenOptions,
): Promise<Download> {
  const image = await foundImage(deps, caller, imageId);
  requireAllowed(deps, "download_image", caller, image, `download image ${image.id}`);
  if (image.status === "deactivated" && !caller.isAdmin)
    throw forbidden(`Image ${image.id} is deactivated and cannot be downloaded.`);
  const cacheable = deps.cachesDownloads && options.range === undefined && image.locations.length > 0;
  const cache = cacheable ? deps.cache : undefined;
  const { sizeBytes } = image;
  const data = sizeBytes === null ? undefined : await cache?.open(image, options);
  if (sizeBytes !== null && data) return metered(deps.transfers, image, { sizeBytes, range: null, data });
  // Claimed before the data is opened: nothing may be awaited while a stream that can fail has nobody who listens to it.
  const fill = await cache?.fill(image);
  try {
    return metered(deps.transfers, image, await openData(deps, image, options), fill);
  } catch (error) {
    fill?.abort();
    throw error;
  }
}

/**
 * The data of an image that may be read, from its first location that can be opened, a store of ours before one of another node's. Listen to
 * it at once: it fails by itself when the signal aborts. Throws images.no_data, api.range_not_satisfiable, stores.blob_not_found,
 * stores.unavailable, and as openElsewhere.
 */
export async function openData(
  deps: Pick<ImageServicesDeps, "stores" | "logger" | "foreignNodes">,
  image: Image,
  options: OpenOptions,
): Promise<OpenedData> {
  if (image.locations.length === 0) throw new ServiceError("images.no_data", `Image ${image.id} has no data yet.`);
  const failures: unknown[] = [];
  for (const location of deps.stores.inOrder(image.locations)) {
    const { url } = location;
    const store = deps.stores.of(location)?.store;
    const foreign = isForeign(deps.stores, location);
    if (foreign && !store) {
      failures.push(foreignData(deps.stores, location, "read"));
      continue;
    }
    try {
      if (!store)
        throw new ServiceError("stores.unavailable", "No store of this node reads such locations.", {
          facts: { url: withoutSecrets(url) },
        });
      return await openLocation(image, store, url, options);
    } catch (error) {
      // Only what another location may do better: the client's own mistakes and a gone client end the search.
      if (!isServiceError(error, "stores.blob_not_found", "stores.unavailable")) throw error;
      deps.logger.warn(
        { imageId: image.id, url: withoutSecrets(url), error: errorText(error) },
        "a location of an image cannot be read",
      );
      failures.push(foreign ? foreignData(deps.stores, location, "read") : error);
    }
  }
  // What may come right by itself first, then what can be had elsewhere.
  const found = (code: "stores.unavailable" | "stores.foreign") =>
    failures.find((error) => isServiceError(error, code));
  const elsewhere = await openElsewhere(deps, image, options).catch((error: unknown) => {
    throw isServiceError(error, "stores.foreign", "stores.blob_not_found")
      ? (found("stores.unavailable") ?? error)
      : error;
  });
  if (elsewhere) return elsewhere;
  throw found("stores.unavailable") ?? found("stores.foreign") ?? failures[0];
}

async function openLocation(
  image: Image,
  store: Store,
  url: string,
  { signal, range: request }: OpenOptions,
): Promise<OpenedData> {
  const sizeBytes = image.sizeBytes ?? (await store.size(url));
  const range = request ? resolveRange(request, sizeBytes) : null;
  // Asking for what the row promises makes a file that is shorter an error now, instead of a client that waits for the rest.
  const wanted: ByteRange = range ?? { start: 0, end: sizeBytes - 1 };
  const data = sizeBytes === 0 ? Readable.from([]) : await store.open(url, { signal, range: wanted });
  return { sizeBytes, range, data };
}

function metered(
  transfers: TransferTracker,
  image: Image,
  { sizeBytes, range, data }: OpenedData,
  fill?: CacheFill,
): Download {
  const bytesTotal = range === null ? sizeBytes : range.end - range.start + 1;
  const transfer = transfers.begin({ kind: "download", imageId: image.id, bytesTotal });
  const stream = meter(transfer.progress, fill).once("close", () => {
    transfer.end();
    fill?.abort();
  });
  // A failure on either side destroys both; the API hears of it from the stream it was given.
  pipeline(data, stream, () => undefined);
  return { sizeBytes, checksum: image.checksum, range, stream };
}

function meter(onBytes: (bytes: number) => void, fill: CacheFill | undefined): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      onBytes(chunk.length);
      if (fill) void fill.add(chunk).then(() => done(null, chunk));
      else done(null, chunk);
    },
    flush(done) {
      fill?.end();
      done();
    },
  });
}

// Where the data of an import comes from, by the method the client chose: opened once for each store.
import assert from "node:assert/strict";
import { errorText, ServiceError } from "../../core/errors.ts";
import type { Image } from "../image.ts";
import type { ImageServicesDeps } from "../services.ts";
import { UploadMeter } from "../upload-meter.ts";
import { convertedSource } from "./conversion.ts";
import { unpackedSource } from "./decompress.ts";
import { foundSource } from "./found-source.ts";
import type { RequestedMethod } from "./import-request.ts";
import type { ImportSource } from "./import-work.ts";
import { findRemoteImage, type RemoteImage } from "./remote-image.ts";
import { removeStaged, stagedBytes, stagedImageBytes, stagingOf } from "./staged-data.ts";
import type { UriFilter } from "./uri-filter.ts";
import { openWebDownload } from "./web-download.ts";

type Deps = Pick<
  ImageServicesDeps,
  "staging" | "scratch" | "settings" | "stores" | "logger" | "importing" | "capabilities" | "regions"
>;
/** Data in it is meant to be compressed. */
const packedContainer = "compressed";
/** Other containers are not looked into. */
const convertedContainer = "bare";

type Options = {
  readonly image: Image;
  readonly method: RequestedMethod;
  /** The caller's own; null: there is none. */
  readonly token: string | null;
  readonly filter: UriFilter;
  /** How often the data is read. */
  readonly passes: number;
};
/** `remote`: where the method is glance-download. */
type KnownOptions = Options & { readonly remote?: RemoteImage };

export type SizedSource = ImportSource & { readonly sizeBytes: number | null };

/** `sizeBytes`: null where it is not known before the data comes. Throws images.not_staged_here, stores.unavailable. */
export async function importSource(deps: Deps, options: Options): Promise<SizedSource> {
  const { image, method, filter, token } = options;
  if (method.name !== "glance-download") return knownSource(deps, options);
  const source = foundSource(
    (signal) => findRemoteImage(deps, method, { token, filter, signal }),
    (remote) => knownSource(deps, { ...options, image: { ...image, ...formatsOf(remote) }, remote }),
  );
  return { ...source, sizeBytes: null };
}

function formatsOf({ becomes }: RemoteImage): Pick<Image, "diskFormat" | "containerFormat"> {
  return { diskFormat: becomes.diskFormat, containerFormat: becomes.containerFormat };
}

/** Of an image whose formats are those of its data. */
async function knownSource(deps: Deps, options: KnownOptions): Promise<SizedSource> {
  const { image, method } = options;
  const { plugins, convertsTo } = deps.importing;
  const fresh = method.name !== "copy-image";
  const unpacks = fresh && plugins.includes("image_decompression") && image.containerFormat !== packedContainer;
  const converts = fresh && plugins.includes("image_conversion") && image.containerFormat === convertedContainer;
  const source = await sourceOf(deps, { ...options, keeps: converts || options.passes > 1 });
  const whole = unpacks ? unpackedSource(source) : source;
  if (converts) {
    const scratch = deps.scratch ?? assert.fail("what is converted is staged, and staging has a folder");
    const conversion = { image, target: convertsTo, plain: !unpacks };
    return { ...convertedSource({ ...deps, scratch }, whole, conversion), sizeBytes: null };
  }
  return unpacks ? { ...whole, sizeBytes: null } : source;
}

/** `keeps`: what is fetched is kept as a file for the length of the import. */
async function sourceOf(
  deps: Deps,
  { image, method, filter, remote, keeps }: KnownOptions & { readonly keeps: boolean },
): Promise<SizedSource> {
  switch (method.name) {
    case "glance-direct":
      return { ...stagedSource(deps, image.id), sizeBytes: await stagedImageBytes(deps, image) };
    case "web-download": {
      const download: ImportSource = {
        open: (signal) => openWebDownload(method.uri, { signal, filter }),
        staged: false,
      };
      // Fetched once, whatever number of stores it goes to.
      return { ...(keeps ? keptSource(deps, image.id, download) : download), sizeBytes: null };
    }
    case "glance-download": {
      const { open, sizeBytes } = remote ?? assert.fail("it was looked up before");
      const download: ImportSource = { open, staged: false };
      return { ...(keeps ? keptSource(deps, image.id, download) : download), sizeBytes };
    }
    case "copy-image":
      return { ...storedSource(deps, image), sizeBytes: image.sizeBytes };
  }
}

/** The image's own data, from the first of its locations that gives it. */
function storedSource({ stores, logger }: Deps, image: Image): ImportSource {
  return {
    staged: false,
    async open(signal) {
      let failure: unknown = new ServiceError("images.no_data", `Image ${image.id} has no data.`);
      for (const location of stores.inOrder(image.locations)) {
        try {
          const store = stores.of(location)?.store;
          if (!store) continue;
          return { stream: await store.open(location.url, { signal }), sizeBytes: image.sizeBytes };
        } catch (error) {
          logger.warn({ imageId: image.id, url: location.url, error: errorText(error) }, "a location cannot be copied");
          failure = error;
        }
      }
      throw failure;
    },
  };
}

function stagedSource(deps: Deps, imageId: string): ImportSource {
  return {
    staged: true,
    async open(signal) {
      const staging = stagingOf(deps, imageId);
      const sizeBytes = await stagedBytes(deps, imageId);
      return { stream: await staging.open(staging.locationFor(imageId), { signal }), sizeBytes };
    },
  };
}

/** Fetched once and kept in the staging folder for as long as it is needed. */
function keptSource(deps: Deps, imageId: string, source: ImportSource): ImportSource {
  const kept = stagedSource(deps, imageId);
  let fetched = false;
  return {
    staged: true,
    async open(signal) {
      if (!fetched) await fetch(signal);
      fetched = true;
      return kept.open(signal);
    },
  };

  async function fetch(signal: AbortSignal): Promise<void> {
    await removeStaged(deps, imageId);
    const { stream, sizeBytes } = await source.open(signal);
    const bytesMax = deps.settings.imageBytesMax;
    const meter = UploadMeter.of(stream, {
      announcedBytes: sizeBytes,
      bytesMax,
      bytesMaxOf: "image_size_cap",
      hashAlgorithm: null,
      inspection: null,
      unhashed: true,
      onBytes: () => undefined,
    });
    try {
      await stagingOf(deps, imageId).put(imageId, meter, { signal, expectedBytes: sizeBytes });
    } finally {
      stream.destroy();
    }
  }
}

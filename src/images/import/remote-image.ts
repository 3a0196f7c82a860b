// The import method glance-download: an image of another region is fetched as its caller, whose token is shown to that region's image service and
// nobody else. All of it happens after the client was answered: whatever is wrong there is the end of the task, as in the reference.
import { ServiceError } from "../../core/errors.ts";
import { isStorable } from "../../core/storable-text.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import { isRefusedOnUpdate, writableAttributes } from "../attributes.ts";
import type { ImageSettings } from "../settings.ts";
import type { RequestedMethod } from "./import-request.ts";
import type { Becomes } from "./import-work.ts";
import type { ImportSettings } from "./settings.ts";
import type { UriFilter } from "./uri-filter.ts";
import { openWebDownload, type WebDownload } from "./web-download.ts";

/** How the image service of another region is found; implemented by identity. */
export type Regions = {
  /**
   * Its URL, by the catalog that the caller's token comes with; null where there is none.
   * Throws identity.unauthenticated, identity.unavailable.
   */
  imageEndpoint(question: {
    readonly token: string;
    readonly region: string;
    readonly serviceInterface: string;
  }): Promise<string | null>;
};

export type RemoteImage = {
  readonly becomes: Becomes;
  readonly sizeBytes: number;
  /** Throws as openWebDownload. */
  open(signal: AbortSignal): Promise<WebDownload>;
};

type Method = Extract<RequestedMethod, { readonly name: "glance-download" }>;
export type RemoteImageDeps = {
  readonly regions?: Regions;
  readonly importing: Pick<ImportSettings, "copiedProperties">;
  readonly settings: Pick<ImageSettings, "diskFormats" | "containerFormats">;
  readonly capabilities: Capabilities;
};

const answerMsMax = 60_000;
/** An image with its locations and 128 properties of usual size is a tenth of this. */
const answerBytesMax = 2 ** 20;
const valueCharsMax = 65_535;

/**
 * Throws images.invalid (no such region, its address may not be imported from, formats unknown here), images.status_conflict (not active there),
 * images.source_failed, identity.unauthenticated, identity.unavailable.
 */
export async function findRemoteImage(
  deps: RemoteImageDeps,
  method: Method,
  {
    token,
    filter,
    signal: cut,
  }: { readonly token: string | null; readonly filter: UriFilter; readonly signal: AbortSignal },
): Promise<RemoteImage> {
  const { region, serviceInterface, imageId } = method;
  const endpoint =
    deps.regions && token !== null ? await deps.regions.imageEndpoint({ token, region, serviceInterface }) : null;
  if (endpoint === null || token === null)
    throw invalid(`Your catalog has no ${serviceInterface} endpoint of an image service in region "${region}".`);
  const url = `${endpoint.replace(/\/v2$/, "")}/v2/images/${imageId}`;
  const headers = { "x-auth-token": token };
  const signal = AbortSignal.any([cut, AbortSignal.timeout(answerMsMax)]);
  const shown = await readJson(region, () => openWebDownload(url, { signal, filter, headers }));
  if (shown.status !== "active")
    throw new ServiceError(
      "images.status_conflict",
      `Image ${imageId} of region "${region}" is ${String(shown.status).slice(0, 30)}, not active.`,
    );
  const { size } = shown;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) throw failed(region, "it tells no size");
  return {
    sizeBytes: size,
    becomes: {
      diskFormat: formatOf(shown, "disk_format", deps.settings.diskFormats),
      containerFormat: formatOf(shown, "container_format", deps.settings.containerFormats),
      virtualBytes: null,
      properties: copied(shown, deps),
    },
    open: async (reading) => {
      const { stream } = await openWebDownload(`${url}/file`, { signal: reading, filter, headers });
      return { stream, sizeBytes: size };
    },
  };
}

async function readJson(region: string, ask: () => Promise<WebDownload>): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    const { stream } = await ask();
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > answerBytesMax) throw failed(region, "its answer is too long");
      chunks.push(chunk);
    }
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    throw error instanceof ServiceError ? error : failed(region, "its answer broke off, or is none", error);
  }
  throw failed(region, "its answer is no image");
}

function formatOf(shown: Readonly<Record<string, unknown>>, name: string, known: readonly string[]): string {
  const value = shown[name];
  if (typeof value === "string" && known.includes(value)) return value;
  throw invalid(`The image's ${name} there, ${JSON.stringify(value)?.slice(0, 60)}, is not one of this service.`);
}

/** Properties whose names begin as the operator says. What is the service's own here is never another's to set. */
function copied(
  shown: Readonly<Record<string, unknown>>,
  { importing, capabilities }: RemoteImageDeps,
): Readonly<Record<string, string>> {
  const wanted = Object.entries(shown).filter(
    ([name, value]) =>
      typeof value === "string" &&
      value.length <= valueCharsMax &&
      name.length <= 255 &&
      isStorable(name) &&
      isStorable(value) &&
      importing.copiedProperties.some((prefix) => name.startsWith(prefix)) &&
      !Object.hasOwn(writableAttributes, name) &&
      !isRefusedOnUpdate(name, capabilities),
  );
  return Object.fromEntries(wanted as [string, string][]);
}

function invalid(why: string): ServiceError {
  return new ServiceError("images.invalid", why);
}

function failed(region: string, why: string, cause?: unknown): ServiceError {
  return new ServiceError("images.source_failed", `The image service of region "${region}" did not help: ${why}.`, {
    cause,
  });
}

// /v2/images/{id}/file: the data of an image, in and out, as streams from end to end.
import { ServiceError } from "../../core/errors.ts";
import { parseContentRange, parseRange, type RangeRequest } from "../../images/byte-range.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import type { Answer } from "../answer.ts";
import { announcedBytes, hasBody, RequestBody } from "../request-body.ts";
import { type ApiRequest, noContent, type Route, type RouteDeps } from "../route.ts";

const dataType = "application/octet-stream";

export const imageFileRoutes: readonly Route[] = [
  { method: "GET", path: "/images/:imageId/file", body: "refused", handle: download },
  { method: "PUT", path: "/images/:imageId/file", body: "stream", handle: upload },
];

async function upload(request: ApiRequest, { services, capabilities }: RouteDeps): Promise<Answer> {
  const { source, announcedBytes: announced } = dataOf(request, capabilities);
  const storeId = request.header("x-image-meta-store");
  await services.data.upload(request.caller, request.param("imageId"), source, {
    signal: request.signal(),
    announcedBytes: announced,
    ...(storeId === undefined ? {} : { storeId }),
  });
  return noContent;
}

/** The data that a request brings, and how much its client announced. Throws api.unsupported_media_type, api.bad_request. */
export function dataOf(
  request: ApiRequest,
  { imageSizeHeader }: Pick<Capabilities, "imageSizeHeader">,
): { source: RequestBody; announcedBytes: number | null } {
  const type = request.header("content-type")?.split(";")[0]?.trim();
  if (type !== dataType)
    throw new ServiceError(
      "api.unsupported_media_type",
      `Image data is uploaded as ${dataType}, not as ${type || "nothing"}.`,
    );
  // Without a body there is an image of no bytes, which Nova uses for snapshots of volumes.
  const announced = hasBody(request.raw) ? announcedBytes(request.raw) : 0;
  const named = imageSizeHeader ? namedBytes(request.header("x-openstack-image-size")) : null;
  return { source: new RequestBody(request.raw, request.response), announcedBytes: named ?? announced };
}

/** null: the client names none. Zero is what the reference's stores take for "not known yet". Throws api.bad_request. */
function namedBytes(text: string | undefined): number | null {
  if (text === undefined) return null;
  const bytes = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(bytes)) return bytes === 0 ? null : bytes;
  throw new ServiceError("api.bad_request", "X-OpenStack-Image-Size is no whole number of bytes.");
}

async function download(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const range = rangeOf(request);
  const file = await services.data.download(request.caller, request.param("imageId"), {
    signal: request.signal(),
    ...(range === undefined ? {} : { range }),
  });
  const headers: Record<string, string | number> = {
    "content-type": dataType,
    "content-length": file.range === null ? file.sizeBytes : file.range.end - file.range.start + 1,
  };
  // In hex, not in base64 as the name would have it: clients compare it with the image's checksum.
  if (file.checksum !== null) headers["content-md5"] = file.checksum;
  if (file.range === null) return { status: 200, headers, body: file.stream };
  headers["content-range"] = `bytes ${file.range.start}-${file.range.end}/${file.sizeBytes}`;
  return { status: 206, headers, body: file.stream };
}

/** Content-Range in a request is how clients of old asked; Range wins. Throws api.bad_request, api.range_not_satisfiable. */
function rangeOf(request: ApiRequest): RangeRequest | undefined {
  const range = request.header("range");
  if (range !== undefined) return parseRange(range);
  const contentRange = request.header("content-range");
  return contentRange === undefined ? undefined : parseContentRange(contentRange);
}

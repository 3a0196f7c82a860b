// Image data as a request brings it: the stream, and what its client says of its size.
import { ServiceError } from "../core/errors.ts";
import type { Capabilities } from "../releases/capabilities.ts";
import { announcedBytes, hasBody, RequestBody } from "./request-body.ts";
import type { ApiRequest } from "./route.ts";

export const dataType = "application/octet-stream";

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
  const announced = sentBytes(request);
  const named = imageSizeHeader ? namedBytes(request.header("x-openstack-image-size")) : null;
  return { source: new RequestBody(request.raw, request.response), announcedBytes: named ?? announced };
}

/** What this request announces. Without a body there is an image of no bytes, which Nova uses for snapshots of volumes. */
export function sentBytes(request: ApiRequest): number | null {
  return hasBody(request.raw) ? announcedBytes(request.raw) : 0;
}

/** null: the client names none. Zero is what the reference's stores take for "not known yet". Throws api.bad_request. */
function namedBytes(text: string | undefined): number | null {
  if (text === undefined) return null;
  const bytes = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(bytes)) return bytes === 0 ? null : bytes;
  throw new ServiceError("api.bad_request", "X-OpenStack-Image-Size is no whole number of bytes.");
}

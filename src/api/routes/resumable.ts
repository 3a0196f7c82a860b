// Uploads that can be continued: PUT with Upload-Complete, and HEAD, PATCH and DELETE on /v2/images/{id}/file, after the draft of the IETF on
// resumable uploads (draft-ietf-httpbis-resumable-upload-09). The image's file is its own upload resource, so a client need not be told of one.
import { ServiceError } from "../../core/errors.ts";
import type { UploadProgress } from "../../images/resumable/resumable-uploads.ts";
import type { Answer } from "../answer.ts";
import { dataOf, sentBytes } from "../image-data-body.ts";
import { RequestBody } from "../request-body.ts";
import { type ApiRequest, noContent, type Route, type RouteChoice, type RouteDeps } from "../route.ts";

const path = "/images/:imageId/file";
const partType = "application/partial-upload";

/** Only where the operator turned it on. */
export function resumableRoutes({ images }: Pick<RouteChoice, "images">): readonly Route[] {
  if (images.resumableSeconds === null) return [];
  return [
    { method: "HEAD", path, body: "refused", handle: show },
    { method: "PATCH", path, body: "stream", handle: append },
    { method: "DELETE", path, body: "refused", handle: cancel },
  ];
}

/** Of a PUT that asks for an upload that can be continued: whether it brings all data. null: it does not ask; as the draft says, also where the value is none. */
export function isLast(request: ApiRequest): boolean | null {
  const text = request.header("upload-complete")?.trim();
  if (text === "?1") return true;
  return text === "?0" ? false : null;
}

export async function beginResumable(request: ApiRequest, deps: RouteDeps, last: boolean): Promise<Answer> {
  const { source, announcedBytes: named } = dataOf(request, deps.capabilities);
  const announcedBytes = sentBytes(request);
  const storeId = request.header("x-image-meta-store");
  const imageId = request.param("imageId");
  const progress = await deps.services.resumable.begin(request.caller, imageId, source, {
    signal: request.signal(),
    announcedBytes,
    totalBytes: numberIn(request, "upload-length") ?? (last ? named : null),
    last,
    token: request.header("x-auth-token"),
    ...(storeId === undefined ? {} : { storeId }),
  });
  if (progress.complete) return { status: 204, headers: progressHeaders(progress) };
  const location = `${request.baseUrl()}/v2/images/${imageId}/file`;
  return { status: 201, headers: { location, ...progressHeaders(progress), ...limitHeaders(deps) } };
}

async function show(request: ApiRequest, deps: RouteDeps): Promise<Answer> {
  const progress = await deps.services.resumable.progress(request.caller, request.param("imageId"));
  const limits = progress.complete ? {} : limitHeaders(deps);
  return { status: 204, headers: { ...progressHeaders(progress), ...limits, "cache-control": "no-store" } };
}

async function append(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const type = request.header("content-type")?.split(";")[0]?.trim();
  if (type !== partType)
    throw new ServiceError("api.unsupported_media_type", `Uploads are continued as ${partType}, not as ${type}.`);
  const offsetBytes = numberIn(request, "upload-offset");
  const last = isLast(request);
  if (offsetBytes === null || last === null)
    throw new ServiceError("api.bad_request", "Give Upload-Offset (bytes) and Upload-Complete (?0 or ?1).");
  const source = new RequestBody(request.raw, request.response);
  const progress = await services.resumable.append(request.caller, request.param("imageId"), source, {
    signal: request.signal(),
    announcedBytes: sentBytes(request),
    totalBytes: numberIn(request, "upload-length"),
    offsetBytes,
    last,
    token: request.header("x-auth-token"),
  });
  return { status: 204, headers: progressHeaders(progress) };
}

async function cancel(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  await services.resumable.cancel(request.caller, request.param("imageId"));
  return noContent;
}

function progressHeaders({ offsetBytes, complete }: UploadProgress): Record<string, string> {
  return { "upload-offset": String(offsetBytes), "upload-complete": complete ? "?1" : "?0" };
}

function limitHeaders({ images }: Pick<RouteDeps, "images">): Record<string, string> {
  return { "upload-limit": `max-size=${images.imageBytesMax}, max-age=${images.resumableSeconds}` };
}

/** null where there is none; as the draft says, also where it is no number. */
function numberIn(request: ApiRequest, name: string): number | null {
  const text = request.header(name)?.trim() ?? "";
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

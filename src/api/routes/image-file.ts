// /v2/images/{id}/file: the data of an image, in and out, as streams from end to end.
import { parseContentRange, parseRange, type RangeRequest } from "../../images/byte-range.ts";
import type { Answer } from "../answer.ts";
import { dataOf, dataType } from "../image-data-body.ts";
import { onwardOf } from "../other-node.ts";
import { type ApiRequest, noContent, type Route, type RouteDeps } from "../route.ts";
import { beginResumable, isLast } from "./resumable.ts";

export const imageFileRoutes: readonly Route[] = [
  { method: "GET", path: "/images/:imageId/file", body: "refused", handle: download },
  { method: "PUT", path: "/images/:imageId/file", body: "stream", handle: upload },
];

async function upload(request: ApiRequest, deps: RouteDeps): Promise<Answer> {
  const { services, capabilities } = deps;
  const last = deps.images.resumableSeconds === null ? null : isLast(request);
  if (last !== null) return beginResumable(request, deps, last);
  const { source, announcedBytes: announced } = dataOf(request, capabilities);
  const storeId = request.header("x-image-meta-store");
  await services.data.upload(request.caller, request.param("imageId"), source, {
    signal: request.signal(),
    announcedBytes: announced,
    token: request.header("x-auth-token"),
    ...(storeId === undefined ? {} : { storeId }),
  });
  return noContent;
}

async function download(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const range = rangeOf(request);
  const file = await services.data.download(request.caller, request.param("imageId"), {
    signal: request.signal(),
    onward: onwardOf(request),
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

// Reads the Range header and applies it to a size. Several ranges are a bad request; what no byte satisfies is 416.
import { ServiceError } from "../core/errors.ts";
import type { ByteRange } from "../stores/store.ts";

/** What a client asks for, before the size is known. */
export type RangeRequest =
  | { readonly kind: "from"; readonly start: number /** null: to the end. */; readonly end: number | null }
  | { readonly kind: "last"; readonly count: number };

/**
 * `bytes=0-99`, `bytes=100-`, `bytes=-50`. Throws api.bad_request for several ranges, api.range_not_satisfiable for anything else that is
 * not one range of bytes.
 */
export function parseRange(header: string): RangeRequest {
  const list = /^\s*bytes\s*=\s*(.*?)\s*$/is.exec(header)?.[1];
  if (list?.includes(",")) throw new ServiceError("api.bad_request", "Only one range can be asked for at a time.");
  const [, first = "", last = ""] = /^(\d*)\s*-\s*(\d*)$/.exec(list ?? "") ?? [];
  return rangeOf(first, last, header);
}

/** The old form, a Content-Range header in the request: `bytes 0-99/1000`. The total is not looked at. Throws api.range_not_satisfiable. */
export function parseContentRange(header: string): RangeRequest {
  const [, first = "", last = ""] = /^\s*bytes[\s=]+(\d+)\s*-\s*(\d*)\s*(?:\/\s*(?:\d+|\*))?\s*$/i.exec(header) ?? [];
  return rangeOf(first, last, header);
}

function rangeOf(first: string, last: string, header: string): RangeRequest {
  if (first === "" && last === "") throw notSatisfiable(`"${header.slice(0, 80)}" is not a range of bytes.`);
  if (first === "") return { kind: "last", count: clamp(last) };
  const start = clamp(first);
  const end = last === "" ? null : clamp(last);
  if (end !== null && end < start) throw notSatisfiable(`The range ends (${end}) before it begins (${start}).`);
  return { kind: "from", start, end };
}

/** A number of many digits means "as far as there is"; sizes stay exact integers. */
function clamp(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
}

/** The bytes of an image of `sizeBytes` that the request covers, cut at its end. Throws api.range_not_satisfiable where it covers none. */
export function resolveRange(request: RangeRequest, sizeBytes: number): ByteRange {
  const last = sizeBytes - 1;
  const range =
    request.kind === "last"
      ? { start: Math.max(0, sizeBytes - request.count), end: last }
      : { start: request.start, end: Math.min(request.end ?? last, last) };
  if (range.start > range.end)
    throw notSatisfiable(`The range holds none of the image's ${sizeBytes} bytes.`, { sizeBytes });
  return range;
}

function notSatisfiable(message: string, facts: { sizeBytes?: number } = {}): ServiceError {
  return new ServiceError("api.range_not_satisfiable", message, { facts });
}

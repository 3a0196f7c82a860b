// The pieces of an object in Swift: `<key>-<attempt>-<number>`, beside it in its container. Number 0 is empty and marks that the attempt may
// still publish; whoever removes the key takes it away, and so fences the writer.
import { createHash } from "node:crypto";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import { discard } from "../wire/http-client.ts";
import { failureOf, type SwiftClient } from "./swift-client.ts";

export type Attempt = {
  readonly container: string;
  readonly key: string;
  /** 16 hex digits. */
  readonly attempt: string;
  readonly signal: AbortSignal;
};

export type Segment = { readonly path: string; readonly etag: string; readonly size_bytes: number };

/** Segments of the first size; each further so many are twice as large, so that no image has more than a manifest may name. */
const segmentsOfOneSize = 200;
/** What Swift takes as one object. */
const segmentBytesMax = 5 * 2 ** 30;
const removedAtOnce = 8;
const pageNames = 1_000;

function segmentName({ key, attempt }: Pick<Attempt, "key" | "attempt">, number: number): string {
  return `${key}-${attempt}-${String(number).padStart(5, "0")}`;
}

export function markerName(attempt: Pick<Attempt, "key" | "attempt">): string {
  return segmentName(attempt, 0);
}

/** Sends all of `source` as segments, one after the other, holding nothing. Throws what the source throws, stores.unavailable, stores.full. */
export async function sendSegments(
  client: SwiftClient,
  target: Attempt,
  source: AsyncIterable<Buffer>,
  segmentBytes: number,
): Promise<readonly Segment[]> {
  const chunks = source[Symbol.asyncIterator]();
  const segments: Segment[] = [];
  let next = await chunks.next();
  for (;;) {
    while (!next.done && next.value.length === 0) next = await chunks.next();
    if (next.done) return segments;
    const limit = Math.min(segmentBytes * 2 ** Math.floor(segments.length / segmentsOfOneSize), segmentBytesMax);
    const hash = createHash("md5");
    let bytes = 0;
    const segment = async function* (): AsyncGenerator<Buffer> {
      while (!next.done && bytes < limit) {
        hash.update(next.value);
        bytes += next.value.length;
        yield next.value;
        next = await chunks.next();
      }
    };
    const object = segmentName(target, segments.length + 1);
    const call = { method: "PUT", container: target.container, object, signal: target.signal } as const;
    const reply = await client.stream(call, segment());
    discard(reply);
    if (reply.status >= 300) throw failureOf(call, reply.status);
    const etag = hash.digest("hex");
    if (reply.headers.etag?.replaceAll('"', "") !== etag)
      throw new ServiceError("stores.unavailable", "Swift stored other bytes than it was sent.", { facts: { object } });
    segments.push({ path: `${target.container}/${object}`, etag, size_bytes: bytes });
  }
}

/** Names of all pieces of a key, whoever wrote them, those of the reference too (`<key>-<number>`). `attempt`: only those of one. */
export async function piecesOf(
  client: SwiftClient,
  { container, key, attempt }: Pick<Attempt, "container" | "key"> & { readonly attempt?: string },
): Promise<readonly string[]> {
  const found: string[] = [];
  const prefix = attempt === undefined ? `${key}-` : `${key}-${attempt}-`;
  let marker = "";
  for (;;) {
    const query = { prefix, marker, limit: String(pageNames) };
    const names = await namesIn(client, container, query);
    found.push(...names.filter((name) => /^(?:[0-9a-f]{16}-)?\d{5}$/.test(name.slice(key.length + 1))));
    const last = names.at(-1);
    if (last === undefined || names.length < pageNames) return found;
    marker = last;
  }
}

/** None where there is no such container. */
async function namesIn(
  client: SwiftClient,
  container: string,
  query: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  try {
    const { text } = await client.ask({ method: "GET", container, query, headers: { accept: "text/plain" } });
    return text.split("\n").filter((name) => name !== "");
  } catch (error) {
    if (isServiceError(error, "stores.blob_not_found")) return [];
    throw error;
  }
}

/** Removes objects; what is gone already is well so. */
export async function removeObjects(client: SwiftClient, container: string, names: readonly string[]): Promise<void> {
  for (let from = 0; from < names.length; from += removedAtOnce)
    await Promise.all(names.slice(from, from + removedAtOnce).map((object) => removeObject(client, container, object)));
}

async function removeObject(client: SwiftClient, container: string, object: string): Promise<void> {
  await client.ask({ method: "DELETE", container, object }).catch((error: unknown) => {
    if (!isServiceError(error, "stores.blob_not_found")) throw error;
  });
}

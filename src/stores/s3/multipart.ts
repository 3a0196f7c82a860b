// One object written in parts. Each part is held in memory until the server has it, so that it can be sent again, and is checked by the hash that
// its request is signed with. Nothing is visible before the parts are completed, and who aborts them fences the writer.
import { createHash } from "node:crypto";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import { isLent, returnPiece } from "../../core/lent-pieces.ts";
import { countSpentBytes } from "../../core/spent-buffers.ts";
import { elements, type S3Client } from "./s3-client.ts";

export type Target = { readonly bucket: string; readonly key: string; readonly signal: AbortSignal };

export type PartSizes = {
  /** Of the first parts; later ones grow, so that no image needs more parts than there may be. */
  readonly partBytes: number;
  /** Parts that are sent at once. */
  readonly partsAtOnce: number;
};

/** What S3 allows is 10,000. */
const partsOfOneSize = 500;
/** However many parts may be sent at once, together they are no larger. */
const bytesAtOnceMax = 32 * 1_048_576;

type Part = { readonly number: number; readonly etag: string };

/** Begins an upload in parts; `mark` is found at the finished object. Throws stores.read_only, stores.unavailable. */
export async function beginParts(client: S3Client, { bucket, key, signal }: Target, mark: string): Promise<string> {
  const headers = { "content-type": "application/octet-stream", "x-amz-meta-perennial-put": mark };
  const { text } = await client.ask({ method: "POST", bucket, key, query: { uploads: "" }, headers, signal });
  const [uploadId] = elements(text, "UploadId");
  if (uploadId) return uploadId;
  throw new ServiceError("stores.unavailable", "S3 began an upload without naming it.", { facts: { bucket, key } });
}

/** Sends all of `source`. Throws what the source throws, stores.unavailable, stores.full; parts under way have ended by then. */
export async function sendParts(
  client: S3Client,
  target: Target & { readonly uploadId: string },
  source: AsyncIterable<Buffer>,
  { partBytes, partsAtOnce }: PartSizes,
): Promise<{ readonly parts: readonly Part[]; readonly sizeBytes: number }> {
  const sent: Promise<Part>[] = [];
  const underWay = new Set<Promise<Part>>();
  let sizeBytes = 0;
  try {
    for await (const part of partsOf(source, partBytes)) {
      sizeBytes += part.bytes;
      const atOnce = Math.max(1, Math.min(partsAtOnce, Math.floor(bytesAtOnceMax / part.bytes)));
      while (underWay.size >= atOnce) await Promise.race(underWay);
      const sending = sendPart(client, target, { ...part, number: sent.length + 1 });
      sent.push(sending);
      underWay.add(sending);
      sending.then(
        () => underWay.delete(sending),
        // Told by the race or by the end; one that failed stays here until then.
        () => undefined,
      );
    }
    return { parts: await Promise.all(sent), sizeBytes };
  } catch (error) {
    await Promise.allSettled(sent);
    throw error;
  }
}

type Gathered = { readonly chunks: readonly Buffer[]; readonly bytes: number; readonly sha256: string };

async function* partsOf(source: AsyncIterable<Buffer>, partBytes: number): AsyncGenerator<Gathered> {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let hash = createHash("sha256");
  let count = 0;
  for await (const chunk of source) {
    if (chunk.length === 0) continue;
    // A part is held for long, and its connection may be left in the midst of it: what is lent is not for that.
    chunks.push(isLent(chunk) ? Buffer.from(chunk) : chunk);
    bytes += chunk.length;
    hash.update(chunk);
    returnPiece(chunk);
    if (bytes < partBytes * (1 + Math.floor(count / partsOfOneSize))) continue;
    yield { chunks, bytes, sha256: hash.digest("hex") };
    count += 1;
    chunks = [];
    bytes = 0;
    hash = createHash("sha256");
  }
  if (bytes > 0) yield { chunks, bytes, sha256: hash.digest("hex") };
}

async function sendPart(
  client: S3Client,
  { bucket, key, uploadId, signal }: Target & { readonly uploadId: string },
  { chunks, sha256, number }: Gathered & { readonly number: number },
): Promise<Part> {
  const query = { partNumber: String(number), uploadId };
  const call = { method: "PUT", bucket, key, query, body: chunks, sha256, signal } as const;
  const { headers } = await client.ask(call).catch((error: unknown) => {
    // The upload is not there any more: remove() took it.
    if (isServiceError(error, "stores.blob_not_found")) throw takenAway(key);
    throw error;
  });
  for (const chunk of chunks) countSpentBytes(chunk.length);
  if (headers.etag) return { number, etag: headers.etag };
  throw new ServiceError("stores.unavailable", "S3 took a part without confirming it.", {
    facts: { bucket, key, number },
  });
}

/** Makes the parts the object. Throws stores.unavailable, stores.blob_exists where the server knows that there is one. */
export async function completeParts(
  client: S3Client,
  { bucket, key, uploadId, signal }: Target & { readonly uploadId: string },
  parts: readonly Part[],
): Promise<void> {
  const list = parts.map(
    ({ number, etag }) => `<Part><PartNumber>${number}</PartNumber><ETag>${escaped(etag)}</ETag></Part>`,
  );
  const body = [Buffer.from(`<CompleteMultipartUpload>${list.join("")}</CompleteMultipartUpload>`)];
  await client.ask({ method: "POST", bucket, key, query: { uploadId }, body, signal });
}

/** Takes away an upload that was not completed; one that is gone already is well so. */
export async function abortParts(client: S3Client, target: Omit<Target, "signal">, uploadId: string): Promise<void> {
  await client.ask({ method: "DELETE", ...target, query: { uploadId } }).catch((error: unknown) => {
    if (!isServiceError(error, "stores.blob_not_found")) throw error;
  });
}

/** Uploads of exactly this key that were not completed. */
export async function openUploads(client: S3Client, bucket: string, key: string): Promise<readonly string[]> {
  const found: string[] = [];
  let after: Readonly<Record<string, string>> = {};
  for (;;) {
    const { text } = await client.ask({ method: "GET", bucket, query: { uploads: "", prefix: key, ...after } });
    for (const [, upload = ""] of text.matchAll(/<Upload>(.*?)<\/Upload>/gs))
      if (elements(upload, "Key")[0] === key) found.push(...elements(upload, "UploadId"));
    const [nextKey, nextId] = [elements(text, "NextKeyMarker")[0], elements(text, "NextUploadIdMarker")[0]];
    // Keys come in order: past this one there is nothing to find.
    if (elements(text, "IsTruncated")[0] !== "true" || !nextKey || nextKey > key) return found;
    after = { "key-marker": nextKey, "upload-id-marker": nextId ?? "" };
  }
}

export function takenAway(key: string): ServiceError {
  return new ServiceError("stores.unavailable", `The partial data of image ${key} was removed.`, { facts: { key } });
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

// Writes a stream compressed to a file, and reads it back: sizes, checksums and whatever a look at the plain bytes finds.
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { type Readable, Transform, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdCompress, createZstdDecompress } from "node:zlib";

/** Looks at the plain bytes as they pass. */
export type Look = (chunk: Uint8Array) => void;

/** On disk when it resolves. The file must not exist yet; a failed write leaves a partial one for the caller to remove. */
export async function writeCompressed(
  source: Readable,
  path: string,
  look: Look,
  signal: AbortSignal,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  const measure = tap((chunk) => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  const file = createWriteStream(path, { flags: "wx", mode: 0o600, flush: true });
  await pipeline(source, tap(look), createZstdCompress(), measure, file, { signal });
  return { bytes, sha256: hash.digest("hex") };
}

/** Reads the whole file; `sink` gets the plain bytes. Rejects where it does not decompress. */
export async function readCompressed(
  path: string,
  look: Look,
  signal: AbortSignal,
  sink: Writable = nowhere(),
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  const measure = tap((chunk) => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  await pipeline(createReadStream(path), measure, createZstdDecompress(), tap(look), sink, { signal });
  return { bytes, sha256: hash.digest("hex") };
}

function tap(look: Look): Transform {
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      look(chunk);
      done(null, chunk);
    },
  });
}

function nowhere(): Writable {
  return new Writable({
    write(_chunk, _encoding, done) {
      done();
    },
  });
}

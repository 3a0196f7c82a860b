// Writes a stream compressed to a file, and reads it back: sizes, checksums and whatever a look at the plain bytes finds.
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { type Readable, Transform, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdCompress, createZstdDecompress } from "node:zlib";
import type { FileFacts, Pass } from "./database-copy.ts";

/** Looks at the plain bytes as they pass. */
export type Look = (chunk: Uint8Array) => void;

const noLook: Look = () => undefined;

/** On disk when it resolves. The file must not exist yet; a failed write leaves a partial one for the caller to remove. */
export async function writeCompressed(source: Readable, path: string, pass: Pass, look = noLook): Promise<FileFacts> {
  const plain = plainTap(look, pass);
  const packed = packedTap();
  const file = createWriteStream(path, { flags: "wx", mode: 0o600, flush: true });
  await pipeline(source, plain.tap, createZstdCompress(), packed.tap, file, { signal: pass.signal });
  return { ...packed.facts(), plainBytes: plain.bytes() };
}

/** Reads the whole file; `sink` gets the plain bytes. Rejects where it does not decompress. */
export async function readCompressed(
  path: string,
  pass: Pass,
  look = noLook,
  sink: Writable = nowhere(),
): Promise<FileFacts> {
  const plain = plainTap(look, pass);
  const packed = packedTap();
  const unpack = createZstdDecompress();
  await pipeline(createReadStream(path), packed.tap, unpack, plain.tap, sink, { signal: pass.signal });
  return { ...packed.facts(), plainBytes: plain.bytes() };
}

/** The file as it lies there. */
export async function hashFile(path: string, pass: Pass): Promise<Pick<FileFacts, "bytes" | "sha256">> {
  const packed = packedTap(pass.moved);
  await pipeline(createReadStream(path), packed.tap, nowhere(), { signal: pass.signal });
  return packed.facts();
}

function plainTap(look: Look, pass: Pass) {
  let bytes = 0;
  const passing = tap((chunk) => {
    bytes += chunk.length;
    look(chunk);
    pass.moved(chunk.length);
  });
  return { tap: passing, bytes: () => bytes };
}

function packedTap(moved: (bytes: number) => void = () => undefined) {
  const hash = createHash("sha256");
  let bytes = 0;
  const passing = tap((chunk) => {
    bytes += chunk.length;
    hash.update(chunk);
    moved(chunk.length);
  });
  return { tap: passing, facts: () => ({ bytes, sha256: hash.digest("hex") }) };
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

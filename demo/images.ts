// The images the demo and the upgrade tests load: qcow2 and raw, with content that follows from the seed. Every byte can be
// produced again at any offset, so whoever downloads an image, whole or in part, can compare it byte by byte.
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { Keystream } from "./keystream.ts";
import { clusterBytes, layoutQcow2 } from "./qcow2.ts";

export type ImageContent = {
  readonly format: "raw" | "qcow2";
  readonly sizeBytes: number;
  /** Bytes `start` up to, not including, `end`, piece by piece; they are not to be written to. */
  pieces(start: number, end: number): Iterable<Buffer>;
};

/** Chunks are small enough that nothing here blocks its event loop for long. */
export const chunkBytes = 262_144;

/** Raw data in the manner of a disk: most of it filled, every fourth 64 KiB zero. */
export function rawContent(seed: number, name: string, sizeBytes: number): ImageContent {
  const stream = new Keystream(seed, name);
  return {
    format: "raw",
    sizeBytes,
    pieces: (start, end) =>
      inClusters(start, end, (cluster, from, to) => {
        if (cluster % 4 === 3) return zeros.subarray(from, to);
        return stream.read(cluster * clusterBytes + from, cluster * clusterBytes + to);
      }),
  };
}

const zeros = Buffer.alloc(clusterBytes);

/** A valid qcow2 file of about `sizeBytes`, whose guest disk is twice that and half empty. */
export function qcow2Content(seed: number, name: string, sizeBytes: number): ImageContent {
  const stream = new Keystream(seed, name);
  const dataClusters = Math.max(1, Math.round(sizeBytes / clusterBytes));
  const guestClusters = Array.from({ length: dataClusters }, (_, index) => index * 2);
  const layout = layoutQcow2({ virtualBytes: dataClusters * 2 * clusterBytes, guestClusters });
  return {
    format: "qcow2",
    sizeBytes: layout.sizeBytes,
    pieces: (start, end) =>
      inClusters(start, end, (cluster, from, to) => {
        const offset = cluster * clusterBytes;
        if (offset < layout.metadata.length) return layout.metadata.subarray(offset + from, offset + to);
        return stream.read(offset + from, offset + to);
      }),
  };
}

function* inClusters(
  start: number,
  end: number,
  piece: (cluster: number, from: number, to: number) => Buffer,
): Generator<Buffer> {
  for (let at = start; at < end; ) {
    const cluster = Math.floor(at / clusterBytes);
    const clusterStart = cluster * clusterBytes;
    const to = Math.min(end, clusterStart + clusterBytes);
    yield piece(cluster, at - clusterStart, to - clusterStart);
    at = to;
  }
}

/** Bytes `start` up to, not including, `end`, in one piece. */
export function readContent(content: ImageContent, start = 0, end = content.sizeBytes): Buffer {
  return Buffer.concat([...content.pieces(start, end)]);
}

/** The whole content as a stream; a new one for each upload. */
export function contentStream(content: ImageContent, options: { chunkBytes?: number } = {}): Readable {
  const step = options.chunkBytes ?? chunkBytes;
  let at = 0;
  return new Readable({
    highWaterMark: step,
    read() {
      const end = Math.min(content.sizeBytes, at + step);
      if (at === end) this.push(null);
      for (const piece of content.pieces(at, end)) this.push(piece);
      at = end;
    },
  });
}

/**
 * The MD5 that the service has to show as the image's checksum. The event loop has a turn between two pieces: other requests of the same process
 * are timed meanwhile.
 */
export async function contentMd5(content: ImageContent): Promise<string> {
  const hash = createHash("md5");
  for (const piece of content.pieces(0, content.sizeBytes)) {
    hash.update(piece);
    await eventLoopTurn();
  }
  return hash.digest("hex");
}

/** Compares what arrives with what must arrive, chunk by chunk; made for one download of bytes `start` up to `end`. */
export class ContentCheck {
  readonly #content: ImageContent;
  readonly #end: number;
  #at: number;
  #wrongAt: number | undefined;

  constructor(content: ImageContent, start = 0, end = content.sizeBytes) {
    this.#content = content;
    this.#at = start;
    this.#end = end;
  }

  chunk(data: Buffer): void {
    let at = this.#at;
    this.#at += data.length;
    if (this.#wrongAt !== undefined) return;
    for (const piece of this.#content.pieces(at, Math.min(this.#at, this.#end))) {
      const from = at - (this.#at - data.length);
      if (!piece.equals(data.subarray(from, from + piece.length))) {
        this.#wrongAt = at;
        return;
      }
      at += piece.length;
    }
  }

  /** What is wrong with the whole of it, or undefined where every byte was right. */
  verdict(): string | undefined {
    if (this.#wrongAt !== undefined) return `wrong bytes in the ${clusterBytes} from ${this.#wrongAt}`;
    return this.#at === this.#end ? undefined : `ended at byte ${this.#at} of ${this.#end}`;
  }
}

export type SampleImage = {
  readonly name: string;
  readonly content: ImageContent;
  readonly project: string;
  readonly visibility: "public" | "private";
  readonly tags: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  /** Projects it is shared with; the first of them accepts. */
  readonly members: readonly string[];
};

const mebibyte = 1_048_576;

/** `count` images (at least 6), of which three have 64 MiB or more; every mix of format, visibility, owner and members occurs. */
export function sampleImages(options: {
  seed: number;
  count: number;
  projects: readonly string[];
}): readonly SampleImage[] {
  const { seed, count, projects } = options;
  return Array.from({ length: count }, (_, index) => {
    const name = `sample-${String(index + 1).padStart(2, "0")}`;
    // Odd sizes, so that last chunks and last clusters are partial ones in raw images.
    const sizeBytes =
      index < 3 ? (64 + index * 4) * mebibyte + index * 1_001 : 100_000 + ((index * 7_919) % 97) * 65_537;
    const project = projects[index % projects.length] ?? "demo";
    const isPublic = index % 3 === 0;
    const others = projects.filter((other) => other !== project);
    return {
      name,
      content: index % 2 === 0 ? qcow2Content(seed, name, sizeBytes) : rawContent(seed, name, sizeBytes),
      project,
      visibility: isPublic ? "public" : "private",
      tags: index % 4 === 0 ? ["golden", `batch-${index % 5}`] : [],
      properties: { os_distro: ["debian", "fedora", "alpine"][index % 3] ?? "debian", build: String(seed + index) },
      members: !isPublic && index % 3 === 1 ? others.slice(0, 2) : [],
    };
  });
}

// How an upload that can be continued is written down in its lease (column url of perennial_uploads): the first line is the URL its data will
// have in a store, as with every upload, and then there is a line for each part, in order. No store owns such lines, so a node that does not
// know them, when it cleans up behind an expired lease, leaves them alone and queues the image again, as with every upload.
//
//   receiving --last byte--> storing --done--> active
//     |  ^                     `--store failed, process gone--> receiving (all parts are there)
//     |  `--another request takes the lease over and goes on
//     `--silent for resumable_upload_seconds, given up, refused--> queued, parts removed
import type { UploadLease } from "../ports.ts";
import type { Piece } from "./upload-parts.ts";

/** Named by the lease under which it is written. */
export type Part = { readonly name: string; readonly start: number };

export type HalfUpload = {
  /** Where the data will be. */
  readonly storeUrl: string;
  /** Never empty. Every part but the last one counts as far as the start of the next, however long it is. */
  readonly parts: readonly [Part, ...Part[]];
  /** All data is there and goes into the store; until then nothing is. */
  readonly storing: boolean;
};

const scheme = "perennial-part:";
const storingLine = `${scheme}storing`;

/** undefined where the lease is that of another kind of upload, or of a deletion. */
export function halfUploadOf({ urls }: Pick<UploadLease, "urls">): HalfUpload | undefined {
  const [first, ...more] = urls.flatMap(partOf);
  const storeUrl = urls[0];
  if (!first || storeUrl === undefined) return undefined;
  return { storeUrl, parts: [first, ...more], storing: urls.includes(storingLine) };
}

export function linesOf({ storeUrl, parts, storing }: HalfUpload): readonly string[] {
  const lines = parts.map(({ name, start }) => `${scheme}${start}@${name}`);
  return [storeUrl, ...lines, ...(storing ? [storingLine] : [])];
}

export function lastPart({ parts }: Pick<HalfUpload, "parts">): Part {
  return parts.at(-1) ?? parts[0];
}

/** `bytes`: of the whole. */
export function piecesOf({ parts }: Pick<HalfUpload, "parts">, bytes: number): readonly Piece[] {
  return parts
    .map(({ name, start }, at) => ({ part: name, bytes: (parts[at + 1]?.start ?? bytes) - start }))
    .filter((piece) => piece.bytes > 0);
}

/** With one more part, which begins at `start`; one that got nothing is left out. */
export function withPart(half: HalfUpload, part: Part): HalfUpload {
  const [first, ...more] = [...half.parts.filter(({ start }) => start < part.start), part];
  return { ...half, parts: [first ?? part, ...more], storing: false };
}

function partOf(line: string): readonly Part[] {
  const [, start, name] = /^perennial-part:(\d+)@([0-9a-f-]+)$/.exec(line) ?? [];
  return start === undefined || name === undefined ? [] : [{ name, start: Number(start) }];
}

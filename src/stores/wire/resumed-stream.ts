// The bytes of a range as a stream over HTTP: where the connection breaks in the middle, the rest is asked for from there; where the other
// side ends too early for good, that is an error of the stream, never a silent end.
import { addAbortSignal, Readable } from "node:stream";
import { errorText, isServiceError, ServiceError } from "../../core/errors.ts";
import type { ByteRange } from "../store.ts";
import type { HttpReply } from "./http-client.ts";

/** In a row, without a byte in between: a slow client lets many connections fall silent in a long download. */
const breaksMax = 3;

export type Opened = {
  readonly body: HttpReply["body"];
  /** Bytes of the body that come before the range. */
  readonly skipBytes: number;
  /** What the range is in full; null: until the end, wherever that is. */
  readonly bytes: number | null;
};

export type ResumableSource = {
  /** Names the data in errors. */
  readonly what: string;
  readonly range: ByteRange | undefined;
  readonly signal: AbortSignal;
  /** Opens from this byte on; asked again after a break, with a later one. Throws ServiceErrors. */
  open(from: number): Promise<Opened>;
};

/** Opens at once, so that what is not there is known before anything is answered. Throws what `open` throws. */
export async function resumedStream(source: ResumableSource): Promise<Readable> {
  const start = source.range?.start ?? 0;
  const first = await source.open(start);
  const wanted = source.range ? source.range.end - source.range.start + 1 : first.bytes;
  const stream = Readable.from(bytesOf(source, first, { start, wanted }), {
    objectMode: false,
    highWaterMark: 1_048_576,
  });
  // Never read, it would hold its connection for ever.
  stream.once("close", () => first.body.destroy());
  return addAbortSignal(source.signal, stream);
}

async function* bytesOf(
  source: ResumableSource,
  first: Opened,
  { start, wanted }: { readonly start: number; readonly wanted: number | null },
): AsyncGenerator<Buffer> {
  let opened = first;
  let doneBytes = 0;
  let breaks = 0;
  for (;;) {
    try {
      let skip = opened.skipBytes;
      for await (const chunk of opened.body as AsyncIterable<Buffer>) {
        const rest = skip > 0 ? chunk.subarray(Math.min(skip, chunk.length)) : chunk;
        skip -= chunk.length - rest.length;
        const taken = wanted === null ? rest : rest.subarray(0, wanted - doneBytes);
        if (taken.length > 0) {
          doneBytes += taken.length;
          breaks = 0;
          yield taken;
        }
        // More than was asked for: leaving here breaks the connection, which reading to the end keeps.
        if (taken.length < rest.length) return;
      }
      if (wanted === null || doneBytes >= wanted) return;
      throw new Error(`it ended after ${doneBytes} of ${wanted} bytes`);
    } catch (error) {
      if (doneBytes === wanted) return;
      if (isServiceError(error) || breaks === breaksMax || source.signal.aborted) throw cut(source.what, error);
      breaks += 1;
      opened = await source.open(start + doneBytes);
    }
  }
}

function cut(what: string, cause: unknown): ServiceError {
  if (isServiceError(cause)) return cause;
  return new ServiceError("stores.unavailable", `${what} did not come whole.`, {
    facts: { cause: errorText(cause) },
    cause,
  });
}

// Reads an image of RBD as a stream, a piece ahead of whoever takes it.
import { addAbortSignal, Readable } from "node:stream";
import { ServiceError } from "../../core/errors.ts";
import type { ByteRange } from "../store.ts";
import type { CephConnection } from "./ceph-connection.ts";
import type { CephOrders, NamedImage } from "./ceph-protocol.ts";
import { refusedWith } from "./ceph-threads.ts";
import { failureOf } from "./rbd-errors.ts";

const pieceBytes = 1_048_576;

type Opened = CephOrders["open"]["gives"];
export type ReadImage = NamedImage & { readonly snapshot: string | null };

/** Closes `opened` when it ends, however it ends. */
export function readImage(
  connection: CephConnection,
  named: ReadImage,
  opened: Opened,
  { signal, range }: { signal: AbortSignal; range?: ByteRange | undefined },
): Readable {
  const start = range?.start ?? 0;
  const end = range ? range.end + 1 : opened.bytes;
  return addAbortSignal(
    signal,
    Readable.from(pieces(connection, named, opened, start, end), { objectMode: false, highWaterMark: pieceBytes }),
  );
}

async function* pieces(
  connection: CephConnection,
  named: ReadImage,
  { image, internalId }: Opened,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  const read = (offset: number) => {
    const reading = connection.order("read", { image, offset, bytes: Math.min(pieceBytes, end - offset) });
    reading.catch(() => undefined);
    return reading;
  };
  let reading = start < end ? read(start) : null;
  try {
    for (let offset = start; reading !== null; ) {
      const piece: Uint8Array = await reading.catch((error: unknown) => {
        throw failureOf(error, { image: named.name }, `Reading image ${named.name} from Ceph failed`);
      });
      const next = offset + piece.length;
      if (next < Math.min(offset + pieceBytes, end)) throw gone(named.name);
      reading = next < end ? read(next) : null;
      // What is removed while it is read reads as zeros. So the end is only told where the image is still there.
      if (reading === null && !(await isThere(connection, named, internalId))) throw gone(named.name);
      yield piece;
      offset = next;
    }
  } finally {
    await reading?.catch(() => undefined);
    await connection.order("close", { image });
  }
}

async function isThere(connection: CephConnection, named: ReadImage, internalId: string): Promise<boolean> {
  try {
    const now = await connection.order("open", named);
    await connection.order("close", { image: now.image });
    return now.internalId === internalId;
  } catch (error) {
    if (refusedWith(error, "ENOENT")) return false;
    throw failureOf(error, { image: named.name }, `Reading image ${named.name} from Ceph failed`);
  }
}

function gone(name: string): ServiceError {
  return new ServiceError("stores.unavailable", `The data of image ${name} was removed from Ceph while it was read.`);
}

// Runs in a thread of its own: hashes the pieces of many uploads at once. See stream-md5.ts, which is the other side.
import { createHash, type Hash } from "node:crypto";
import { type MessagePort, parentPort } from "node:worker_threads";

/** `piece`: shared memory, of which the first `length` bytes count; it is given back by its number. */
export type Md5Order =
  | {
      readonly stream: number;
      readonly do: "hash";
      readonly piece: Uint8Array;
      readonly number: number;
      readonly length: number;
    }
  | { readonly stream: number; readonly do: "digest" | "forget" };

export type Md5Reply =
  | { readonly stream: number; readonly free: number }
  | { readonly stream: number; readonly digest: string };

function serve(port: MessagePort): void {
  const hashes = new Map<number, Hash>();
  port.on("message", (order: Md5Order) => {
    const { stream } = order;
    if (order.do === "forget") {
      hashes.delete(stream);
      return;
    }
    const hash = hashes.get(stream) ?? createHash("md5");
    hashes.set(stream, hash);
    if (order.do === "hash") {
      hash.update(order.piece.subarray(0, order.length));
      port.postMessage({ stream, free: order.number } satisfies Md5Reply);
    } else {
      hashes.delete(stream);
      port.postMessage({ stream, digest: hash.digest("hex") } satisfies Md5Reply);
    }
  });
}

if (parentPort) serve(parentPort);

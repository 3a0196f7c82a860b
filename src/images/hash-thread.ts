// Runs in a thread of its own: hashes the pieces of many uploads at once. See stream-hashes.ts, which is the other side.
import { createHash, type Hash } from "node:crypto";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";

/** What the thread is started with: the one hash it computes, by OpenSSL's name. */
export type HashThreadData = { readonly openSslName: string };

/** `piece`: shared memory, of which the first `length` bytes count; it is given back by its number. */
export type HashOrder =
  | {
      readonly stream: number;
      readonly do: "hash";
      readonly piece: Uint8Array;
      readonly number: number;
      readonly length: number;
    }
  | { readonly stream: number; readonly do: "digest" | "forget" };

export type HashReply =
  | { readonly stream: number; readonly free: number }
  | { readonly stream: number; readonly digest: string };

function serve(port: MessagePort, { openSslName }: HashThreadData): void {
  const hashes = new Map<number, Hash>();
  port.on("message", (order: HashOrder) => {
    const { stream } = order;
    if (order.do === "forget") {
      hashes.delete(stream);
      return;
    }
    const hash = hashes.get(stream) ?? createHash(openSslName);
    hashes.set(stream, hash);
    if (order.do === "hash") {
      hash.update(order.piece.subarray(0, order.length));
      port.postMessage({ stream, free: order.number } satisfies HashReply);
    } else {
      hashes.delete(stream);
      port.postMessage({ stream, digest: hash.digest("hex") } satisfies HashReply);
    }
  });
}

if (parentPort) serve(parentPort, workerData as HashThreadData);

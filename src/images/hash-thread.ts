// Runs in a thread of its own: hashes the pieces of many uploads at once, or checks their signatures. See stream-hashes.ts, which is the other side.
import { type MessagePort, parentPort } from "node:worker_threads";
import { countSpentBytes } from "../core/spent-buffers.ts";
import { type BegunWork, beginWork, type StreamWork } from "./stream-work.ts";

/** `piece`: shared memory, of which the first `length` bytes count; it is given back by its number. */
export type HashOrder =
  | { readonly stream: number; readonly do: "begin"; readonly work: StreamWork }
  | {
      readonly stream: number;
      readonly do: "update";
      readonly piece: Uint8Array;
      readonly number: number;
      readonly length: number;
    }
  | { readonly stream: number; readonly do: "end" | "forget" };

export type HashReply =
  | { readonly stream: number; readonly free: number }
  | { readonly stream: number; readonly result: string };

function serve(port: MessagePort): void {
  const streams = new Map<number, BegunWork>();
  port.on("message", (order: HashOrder) => {
    const { stream } = order;
    if (order.do === "begin") {
      streams.set(stream, beginWork(order.work));
      return;
    }
    const work = streams.get(stream);
    if (order.do === "update") {
      work?.update(order.piece.subarray(0, order.length));
      port.postMessage({ stream, free: order.number } satisfies HashReply);
      // What came with this message keeps the piece alive, until this thread's own collector has run.
      countSpentBytes(order.piece.length);
      return;
    }
    streams.delete(stream);
    if (order.do === "end" && work) port.postMessage({ stream, result: work.end() } satisfies HashReply);
  });
}

if (parentPort) serve(parentPort);

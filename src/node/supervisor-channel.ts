// A worker's end of the IPC channel: what it hears from the supervisor, and what it asks of it.
import assert from "node:assert/strict";
import type { FromWorker, ToWorker } from "./worker-protocol.ts";

type Metrics = { readonly contentType: string; readonly body: string };

/** The supervisor waits for slow workers for less than this. */
const metricsMsMax = 5_000;

export class SupervisorChannel {
  readonly #asked = new Map<number, (metrics: Metrics) => void>();
  #lastId = 0;

  /** `hear` gets every message but the answers this class waits for; `lost` is called once, when the supervisor is gone. */
  constructor(hear: (message: ToWorker) => void, lost: () => void) {
    assert(process.send, "a worker is started by a supervisor");
    process.on("message", (message: ToWorker) => {
      if (message.do !== "metrics") return hear(message);
      this.#asked.get(message.id)?.(message);
      this.#asked.delete(message.id);
    });
    process.once("disconnect", lost);
  }

  /** Dropped where the supervisor is gone, which `lost` tells. */
  send(message: FromWorker): void {
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  }

  /** As `send`, and resolves when the message has left this process. */
  async sent(message: FromWorker): Promise<void> {
    if (!process.connected) return;
    await new Promise<void>((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
  }

  /** The metrics of all workers together. Rejects where the supervisor does not answer in time. */
  metrics(): Promise<Metrics> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#asked.delete(id);
        reject(new Error("the supervisor did not answer in time"));
      }, metricsMsMax);
      this.#asked.set(id, (metrics) => {
        clearTimeout(timer);
        resolve({ contentType: metrics.contentType, body: metrics.body });
      });
      this.send({ did: "want-metrics", id });
    });
  }
}

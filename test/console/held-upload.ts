// An upload of which a part is sent and the rest kept back, straight to one node: for as long as that takes, the node cannot end.
import { request } from "node:http";
import { adminToken } from "../../demo/traffic/actor.ts";

export type HeldUpload = {
  readonly bytesLeft: number;
  /** Sends the rest; resolves with the status of the answer. */
  finish(): Promise<number>;
  /** Gives it up; safe after its end. */
  cut(): void;
};

const partBytes = 100_000;

/** `address`: host:port of the node. Resolves once the first half is on its way. */
export async function holdUpload(address: string): Promise<HeldUpload> {
  const headers = { "X-Auth-Token": adminToken };
  const made = await fetch(`http://${address}/v2/images`, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify({ name: "held", disk_format: "raw", container_format: "bare" }),
  });
  const { id } = (await made.json()) as { id: string };
  const upload = request(`http://${address}/v2/images/${id}/file`, {
    method: "PUT",
    headers: { ...headers, "Content-Type": "application/octet-stream", "Content-Length": 2 * partBytes },
  });
  const answered = Promise.withResolvers<number>();
  upload.on("response", (answer) => answered.resolve(answer.resume().statusCode ?? 0));
  upload.on("error", answered.reject);
  // Whoever finishes it hears of it.
  answered.promise.catch(() => undefined);
  await new Promise<void>((resolve) => upload.write(Buffer.alloc(partBytes), () => resolve()));
  return {
    bytesLeft: partBytes,
    finish() {
      upload.end(Buffer.alloc(partBytes));
      return answered.promise;
    },
    cut: () => upload.destroy(),
  };
}

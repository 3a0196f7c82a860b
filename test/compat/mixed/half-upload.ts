// An upload that stays in the middle until it is told to go on.
import { request } from "node:http";

export type HalfUpload = {
  /** Sends the rest; the answer's status. */
  finish(): Promise<number>;
};

/** Begins an upload of `bytes` to `url` and sends its first half. */
export function beginUpload(url: string, token: string, bytes: Buffer): HalfUpload {
  const headers = { "x-auth-token": token, "content-type": "application/octet-stream", "content-length": bytes.length };
  const sent = request(url, { method: "PUT", agent: false, headers });
  const status = new Promise<number>((resolve, reject) => {
    sent.once("error", reject);
    sent.once("response", (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode ?? 0));
    });
  });
  // Who never finishes it does not want to hear of it.
  status.catch(() => undefined);
  const half = bytes.length >> 1;
  sent.write(bytes.subarray(0, half));
  return {
    finish: () => {
      sent.end(bytes.subarray(half));
      return status;
    },
  };
}

// An upload that stays in the middle until it is told to go on.
import { request } from "node:http";
import { answerMsMax } from "./exchange.ts";

export type HalfUpload = {
  /** Sends the rest; the answer's status. Throws what names the upload where no answer comes within `answerMsMax` of its beginning. */
  finish(): Promise<number>;
};

/** Begins an upload of `bytes` to `url` and sends its first half. */
export function beginUpload(url: string, token: string, bytes: Buffer): HalfUpload {
  const headers = { "x-auth-token": token, "content-type": "application/octet-stream", "content-length": bytes.length };
  const sent = request(url, { method: "PUT", agent: false, headers, signal: AbortSignal.timeout(answerMsMax) });
  const status = new Promise<number>((resolve, reject) => {
    const fail = (cause: Error) => reject(new Error(`no whole answer to the upload to ${url}`, { cause }));
    sent.once("error", fail);
    sent.once("response", (response) => {
      response.once("error", fail).resume();
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

// Answers made smaller for clients that take gzip, where the pipeline has the filter. Text alone: image data is sent as it lies in the store,
// with its length and its checksum. In a thread of the runtime's pool, for a page of a thousand images takes milliseconds.
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Answer } from "./answer.ts";

const compress = promisify(gzip);
/** Below, the frame around the data costs more than is saved. */
const bytesMin = 512;

/** The answer as it is where it has no text, is small, or the client does not take gzip. */
export async function gzipped(answer: Answer, acceptEncoding: string | undefined): Promise<Answer> {
  const { body, headers = {} } = answer;
  if (typeof body !== "string" && !Buffer.isBuffer(body)) return answer;
  if (headers["content-encoding"] !== undefined) return answer;
  const vary = [headers.vary, "Accept-Encoding"].filter((one) => one !== undefined).join(", ");
  if (Buffer.byteLength(body) < bytesMin || !takesGzip(acceptEncoding))
    return { ...answer, headers: { ...headers, vary } };
  return { ...answer, headers: { ...headers, vary, "content-encoding": "gzip" }, body: await compress(body) };
}

/** `gzip`, `*`, or either with a weight above 0; what names gzip goes before what does not. */
export function takesGzip(acceptEncoding: string | undefined): boolean {
  const weights = new Map<string, number>();
  for (const part of (acceptEncoding ?? "").split(",")) {
    const [name = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    const weight = parameters.find((parameter) => /^q\s*=/.test(parameter));
    weights.set(name, weight === undefined ? 1 : Number(weight.replace(/^q\s*=\s*/, "")));
  }
  return (weights.get("gzip") ?? weights.get("*") ?? 0) > 0;
}

// Bodies: whether there is one, reading JSON within bounds, and handing uploads on as a stream that can fail without taking the
// connection with it.
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { ServiceError } from "../core/errors.ts";
import { lendPiece } from "../core/lent-pieces.ts";

/** 128 properties of usual size are some tens of KiB; parsing this much holds the event loop for a few milliseconds. */
export const jsonBytesMax = 2 ** 20;
/** Requests as such have no time limit, because uploads take hours. */
const jsonMsMax = 60_000;

export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers["content-length"];
  return (length !== undefined && length !== "0") || request.headers["transfer-encoding"] !== undefined;
}

/** null where the client did not announce it. */
export function announcedBytes(request: IncomingMessage): number | null {
  const length = request.headers["content-length"];
  return length === undefined ? null : Number(length);
}

/**
 * A list or an object, whatever the content type says. `msMax`: how long the client may take to send it. `parse` may throw anything.
 * Throws api.bad_request, api.body_too_large, api.body_too_slow, api.client_gone.
 */
export async function readJson(
  request: IncomingMessage,
  response: ServerResponse,
  msMax: number = jsonMsMax,
  parse: (text: string) => unknown = JSON.parse,
): Promise<object> {
  if (!hasBody(request)) throw new ServiceError("api.bad_request", "This request needs a JSON body.");
  const body = new RequestBody(request, response);
  const timer = setTimeout(() => {
    body.destroy(new ServiceError("api.body_too_slow", `The body did not arrive within ${msMax / 1000} seconds.`));
  }, msMax);
  const bytes = await readBytes(body, announcedBytes(request) ?? 0).finally(() => clearTimeout(timer));
  let value: unknown;
  try {
    value = parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw new ServiceError("api.bad_request", "The body is not JSON in UTF-8.", { cause });
  }
  if (typeof value === "object" && value !== null) return value;
  throw new ServiceError("api.bad_request", "The body must be a JSON object or list.");
}

async function readBytes(body: RequestBody, announced: number): Promise<Buffer> {
  const tooLarge = () =>
    new ServiceError("api.body_too_large", `The body has more than ${jsonBytesMax} bytes.`, {
      facts: { jsonBytesMax },
    });
  if (announced > jsonBytesMax) throw tooLarge();
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes > jsonBytesMax) throw tooLarge();
  }
  return Buffer.concat(chunks);
}

/**
 * The body as a stream of its own. Destroying it leaves the request alone, so that an upload refused in the middle can still be
 * answered; and a client that waits for `100 Continue` gets it when somebody really wants the bytes, not before.
 * Fails with api.client_gone when the client leaves before the end.
 */
export class RequestBody extends Readable {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #flowing = false;
  #released = false;

  constructor(request: IncomingMessage, response: ServerResponse) {
    super();
    this.#request = request;
    this.#response = response;
    bodies.set(request, this);
  }

  /** Lets go of the request, whether or not the reader of this stream is done with it. */
  release(): void {
    this.#detach();
    this.#released = true;
    this.destroy();
  }

  override _read(): void {
    if (this.#released) return;
    if (this.#flowing) {
      this.#request.resume();
      return;
    }
    this.#flowing = true;
    if (this.#request.destroyed && !this.#request.complete) {
      this.destroy(clientGone());
      return;
    }
    if (expectsContinue(this.#request)) this.#response.writeContinue();
    this.#request.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#onGone).on("close", this.#onGone);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#detach();
    callback(error);
  }

  /** Errors of the request go on being listened to: nobody else does. */
  #detach(): void {
    if (this.#released) return;
    this.#request.off("data", this.#onData).off("end", this.#onEnd).off("close", this.#onGone);
    this.#request.pause();
  }

  #onData = (chunk: Buffer): void => {
    lendOut(chunk);
    if (!this.push(chunk)) this.#request.pause();
  };
  #onEnd = (): void => {
    this.push(null);
  };
  #onGone = (cause?: unknown): void => {
    if (!this.#request.complete) this.destroy(clientGone(cause));
  };
}

/** Small ones are cheap to collect. */
const lentBytesMin = 16_384;

/**
 * The runtime hands over what a client sends in fresh memory each time, and clears it away when its collector gets to it: by then an upload has
 * left a hundred megabytes behind. Given back, it is freed at once, and the next chunk finds it still in the processor's cache.
 */
function lendOut(chunk: Buffer): void {
  const { buffer } = chunk;
  if (chunk.length < lentBytesMin || buffer.byteLength !== chunk.length || !(buffer instanceof ArrayBuffer)) return;
  lendPiece(chunk, () => void buffer.transfer(0));
}

const bodies = new WeakMap<IncomingMessage, RequestBody>();

/** For whoever wants to read the rest of a body whose reader has failed, or may fail at any moment. */
export function releaseBody(request: IncomingMessage): void {
  bodies.get(request)?.release();
}

export function expectsContinue(request: IncomingMessage): boolean {
  return request.headers.expect?.toLowerCase() === "100-continue" && request.httpVersion !== "1.0";
}

export function clientGone(cause?: unknown): ServiceError {
  return new ServiceError("api.client_gone", "The client went away before its request was complete.", { cause });
}

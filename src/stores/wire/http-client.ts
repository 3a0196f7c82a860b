// What the stores behind HTTP have in common: connections that are kept, silence that ends, and requests that are made again where the
// other side or the way to it failed. Bodies are either at hand, and can be sent again, or a stream, and are sent once.
import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { request as requestHttps, Agent as SecureAgent } from "node:https";
import type { LookupFunction } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { errorText, isServiceError, ServiceError } from "../../core/errors.ts";
import { returnPiece } from "../../core/lent-pieces.ts";
import { Agent, request as requestHttp } from "../../core/node-http.ts";

export type HttpReply = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read to its end, or destroyed. */
  readonly body: IncomingMessage;
};

export type HttpRequest = {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly url: URL;
  /** Made anew for each attempt: a signature has a time. */
  readonly headers?: () => OutgoingHttpHeaders;
  readonly body?: readonly Buffer[];
  readonly signal?: AbortSignal | undefined;
};

export type HttpClientOptions = {
  /** PEM of the authorities to trust in the place of the system's. */
  readonly ca?: Buffer;
  /** Believe any certificate. */
  readonly insecure?: boolean;
  readonly lookup?: LookupFunction;
  /** Between any two bytes; 60 s where nothing is said. */
  readonly silentMsMax?: number;
  /** Of a request that can be made again; 4 where nothing is said. */
  readonly attemptsMax?: number;
};

const pauseMs = 100;
const textBytesMax = 4 * 1_048_576;
const passing: readonly number[] = [429, 500, 502, 503, 504];

export class HttpClient {
  readonly #agents: { readonly "http:": Agent; readonly "https:": SecureAgent };
  readonly #silentMsMax: number;
  readonly #attemptsMax: number;

  constructor({ ca, insecure = false, lookup, silentMsMax = 60_000, attemptsMax = 4 }: HttpClientOptions = {}) {
    this.#silentMsMax = silentMsMax;
    this.#attemptsMax = attemptsMax;
    const kept = { keepAlive: true, maxFreeSockets: 16, ...(lookup ? { lookup } : {}) };
    this.#agents = {
      "http:": new Agent(kept),
      "https:": new SecureAgent({ ...kept, ...(ca ? { ca } : {}), rejectUnauthorized: !insecure }),
    };
  }

  /** The reply of the last attempt, whatever its status. Throws stores.unavailable where there was none, the signal's reason. */
  async request(request: HttpRequest): Promise<HttpReply> {
    for (let attempt = 1; ; attempt++) {
      const last = attempt === this.#attemptsMax;
      try {
        const reply = await this.#send(request, request.body ?? []);
        if (last || !passing.includes(reply.status)) return reply;
        discard(reply);
      } catch (error) {
        request.signal?.throwIfAborted();
        if (isServiceError(error)) throw error;
        if (last) throw unreachable(request.url, error);
      }
      await sleep(pauseMs * 2 ** attempt * (0.5 + Math.random()), undefined, { signal: request.signal });
    }
  }

  /** Sends what `source` yields, once. Throws what `source` throws, stores.unavailable, the signal's reason. */
  async send(request: Omit<HttpRequest, "body">, source: AsyncIterable<Buffer>): Promise<HttpReply> {
    return await this.#send(request, source).catch((error: unknown) => {
      request.signal?.throwIfAborted();
      throw error instanceof SourceFailure
        ? error.cause
        : isServiceError(error)
          ? error
          : unreachable(request.url, error);
    });
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  async #send(request: Omit<HttpRequest, "body">, body: readonly Buffer[] | AsyncIterable<Buffer>): Promise<HttpReply> {
    const { method, url, signal } = request;
    signal?.throwIfAborted();
    const { protocol } = url;
    if (protocol !== "http:" && protocol !== "https:") throw new Error(`not a web URL: ${protocol}`);
    const atHand = Array.isArray(body) ? (body as readonly Buffer[]) : undefined;
    const length = atHand?.reduce((bytes, chunk) => bytes + chunk.length, 0);
    const framing = method === "GET" || method === "HEAD" || length === undefined ? {} : { "content-length": length };
    const outgoing = (protocol === "https:" ? requestHttps : requestHttp)(url, {
      method,
      agent: this.#agents[protocol],
      headers: { ...framing, ...request.headers?.() },
      ...(signal ? { signal } : {}),
    });
    outgoing.setTimeout(this.#silentMsMax, () => outgoing.destroy(new Error(`silent for ${this.#silentMsMax} ms`)));
    let isAnswered = false;
    const answered = new Promise<HttpReply>((resolve, reject) => {
      outgoing.on("error", reject);
      outgoing.on("response", (response) => {
        // Heard by whoever reads; nobody does where the reply is thrown away.
        response.on("error", () => undefined);
        isAnswered = true;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response });
      });
    });
    answered.catch(() => undefined);
    try {
      for await (const chunk of atHand ?? sourceOf(body)) {
        if (outgoing.destroyed || outgoing.writableEnded) break;
        // An answer before the end is a refusal, and no more is sent, but for what a length was announced of.
        if (isAnswered && !atHand) break;
        // What is at hand may have to be sent again.
        const sent = atHand ? undefined : (error?: Error | null) => void (error || returnPiece(chunk));
        if (!outgoing.write(chunk, sent)) await Promise.race([once(outgoing, "drain"), answered]);
      }
      outgoing.end();
    } catch (error) {
      outgoing.destroy();
      throw error;
    }
    return await answered;
  }
}

/** Told apart from failures of the way, which have other errors. */
class SourceFailure extends Error {}

async function* sourceOf(source: AsyncIterable<Buffer> | readonly Buffer[]): AsyncGenerator<Buffer> {
  try {
    yield* source;
  } catch (error) {
    throw new SourceFailure("the source failed", { cause: error });
  }
}

/** Lets the connection be used again where little is left to read. */
export function discard({ body }: Pick<HttpReply, "body">): void {
  body.resume();
}

/** The body as text. Throws stores.unavailable where it does not come whole, or is larger than any answer should be. */
export async function textOf({ body }: Pick<HttpReply, "body">): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > textBytesMax) throw new Error("the answer is too long");
    }
  } catch (error) {
    throw new ServiceError("stores.unavailable", "The store's answer did not come whole.", { cause: error });
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The length the reply announces; null where it announces none. */
export function lengthOf({ headers }: Pick<HttpReply, "headers">): number | null {
  const text = headers["content-length"];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}

function unreachable({ origin }: URL, cause: unknown): ServiceError {
  const facts = { origin, cause: errorText(cause) };
  return new ServiceError("stores.unavailable", `The store at ${origin} does not answer.`, { facts, cause });
}

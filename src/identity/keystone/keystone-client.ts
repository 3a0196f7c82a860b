// Speaks HTTP with Keystone: connections that stay open, its certificate checked, every call bounded in time and size, and repeated where it
// certainly or probably did not get through. Tokens and passwords never come into messages.
import { readFileSync } from "node:fs";
import { getCACertificates } from "node:tls";
import type { Agent } from "undici";
import { errorText, ServiceError } from "../../core/errors.ts";
import type { Credentials } from "./credentials.ts";

export type KeystoneCall = {
  readonly method: "GET" | "POST" | "DELETE";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
};

type ClientSettings = Pick<Credentials, "section" | "authUrl" | "tls"> & {
  readonly answerMsMax: number;
  readonly retriesMax: number;
  /** Who is asked, for messages; absent: Keystone. */
  readonly asked?: string;
};

export type KeystoneAnswer = {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  /** undefined where the body was no JSON. */
  readonly body: unknown;
  /** The body as it came. */
  readonly bytes: Buffer;
};

/** A token with everything that can be in it is a tenth of this. */
const answerBytesMax = 2 ** 20;
/** Requests that need an answer share these; more wait for one of them. */
const connectionsMax = 32;
const pauseMsMin = 50;
/** A balancer in front says these when the Keystone behind it has just gone. */
const passing = new Set([502, 503, 504]);

export class KeystoneClient {
  /** Loaded by who talks to Keystone, and at once: the files may be another release's by the time of the first call. */
  readonly #undici = import("undici");
  readonly #agent: Promise<Agent>;
  readonly #answerMsMax: number;
  readonly #retriesMax: number;
  readonly #asked: string | undefined;

  /** Throws config.invalid where a file of certificates cannot be read. */
  constructor(settings: ClientSettings) {
    this.#answerMsMax = settings.answerMsMax;
    this.#retriesMax = settings.retriesMax;
    this.#asked = settings.asked;
    const connect = { timeout: settings.answerMsMax, ...tlsOptions(settings) };
    this.#agent = this.#undici.then(({ Agent }) => new Agent({ connections: connectionsMax, pipelining: 1, connect }));
  }

  /** Whatever the answer is, but those that pass. Throws identity.unavailable. */
  async call(call: KeystoneCall): Promise<KeystoneAnswer> {
    const signal = AbortSignal.timeout(this.#answerMsMax);
    for (let attempt = 0; ; attempt++) {
      const last = attempt >= this.#retriesMax;
      try {
        const answer = await this.#once(call, signal);
        if (!passing.has(answer.status)) return answer;
        if (last) throw this.#unavailable(call, `it answered ${answer.status}`);
      } catch (error) {
        if (signal.aborted) throw this.#unavailable(call, `it did not answer within ${this.#answerMsMax} ms`, error);
        if (last || error instanceof ServiceError)
          throw error instanceof ServiceError ? error : this.#unavailable(call, causeText(error), error);
      }
      await pause(pauseMsMin * 2 ** attempt * (0.5 + Math.random()), signal);
    }
  }

  async close(): Promise<void> {
    await (await this.#agent).destroy();
  }

  #unavailable(call: KeystoneCall, why: string, cause?: unknown): ServiceError {
    return unavailable(call, why, cause, this.#asked);
  }

  async #once(call: KeystoneCall, signal: AbortSignal): Promise<KeystoneAnswer> {
    const { request } = await this.#undici;
    const { statusCode, headers, body } = await request(call.url, {
      method: call.method,
      dispatcher: await this.#agent,
      signal,
      headersTimeout: 0,
      bodyTimeout: 0,
      headers: {
        accept: "application/json",
        "user-agent": "perennial",
        ...(call.body ? { "content-type": "application/json" } : {}),
        ...call.headers,
      },
      ...(call.body ? { body: JSON.stringify(call.body) } : {}),
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      // Leaving the loop ends the connection.
      if (bytes > answerBytesMax) throw this.#unavailable(call, `its answer was longer than ${answerBytesMax} bytes`);
      chunks.push(chunk);
    }
    const whole = Buffer.concat(chunks);
    return {
      status: statusCode,
      header: (name) => {
        const value = headers[name];
        return Array.isArray(value) ? value[0] : value;
      },
      body: parsed(whole.toString("utf8")),
      bytes: whole,
    };
  }
}

/** For the log; what the client is told stands in api/problem.ts. */
export function unavailable(
  call: Pick<KeystoneCall, "method" | "url">,
  why: string,
  cause?: unknown,
  asked = "Keystone",
): ServiceError {
  return new ServiceError("identity.unavailable", `${asked} could not be asked (${call.method} ${call.url}): ${why}.`, {
    facts: { method: call.method, url: call.url },
    ...(cause === undefined ? {} : { cause }),
  });
}

function tlsOptions({ section, authUrl, tls }: ClientSettings): object {
  const read = (file: string, option: string) => readPem(file, option, section);
  const files = {
    ...(tls.certFile ? { cert: read(tls.certFile, "certfile") } : {}),
    ...(tls.keyFile ? { key: read(tls.keyFile, "keyfile") } : {}),
  };
  if (tls.insecure) return { ...files, rejectUnauthorized: false };
  if (tls.caFile) return { ...files, ca: read(tls.caFile, "cafile") };
  // The system's as well, where operators put their own. Reading them takes a moment that plain HTTP need not spend.
  if (!authUrl.startsWith("https:")) return files;
  return { ...files, ca: [...getCACertificates("default"), ...getCACertificates("system")] };
}

function readPem(file: string, option: string, section: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const message = `[${section}] ${option}: ${errorText(error)}`;
    throw new ServiceError("config.invalid", message, { facts: { section, option } });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Failures to connect to each of several addresses come as one error without words of its own. */
function causeText(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(errorText).join("; ");
  return errorText(error);
}

/** Ends early where the time for the whole call is over. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}

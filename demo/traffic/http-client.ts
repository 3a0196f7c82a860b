// One plain HTTP client: a keep-alive connection of its own, no retries, every answer judged and recorded. Bodies stream both ways.
import { Agent, type IncomingMessage, request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Recorder } from "./recorder.ts";

export type Answer = {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  /** Empty where the body went to `onChunk`. */
  readonly body: string;
};

export type Call = {
  /** What it is counted as. */
  readonly kind: string;
  readonly method: string;
  readonly path: string;
  /** `user:project:role`, as flavor fakeauth takes it; absent: no token. */
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly json?: unknown;
  /** For an upload. */
  readonly body?: Readable;
  readonly expect: readonly number[];
  /** Takes the body of an expected answer instead of collecting it. */
  readonly onChunk?: (chunk: Buffer) => void | Promise<void>;
  /** What is wrong with an answer that has an expected status; undefined where nothing is. */
  readonly check?: (answer: Answer) => string | undefined;
  readonly timeoutMs?: number;
};

/** Of an identity service, by those of flavor fakeauth for the same caller. */
export type Tokens = ReadonlyMap<string, string>;

const bodyBytesMax = 8 * 1_048_576;

export class HttpClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #origin: URL;
  readonly #recorder: Recorder;
  readonly #tokens: Tokens;
  /** How many were made so far. */
  calls = 0;

  /** `tokens`: what is sent in the place of a token of flavor fakeauth. */
  constructor(origin: string, recorder: Recorder, tokens: Tokens = new Map()) {
    this.#tokens = tokens;
    this.#origin = new URL(origin);
    this.#recorder = recorder;
  }

  /** Undefined where the call failed, which is recorded; never throws for anything the other side did. */
  async call(call: Call): Promise<Answer | undefined> {
    this.calls++;
    const recorder = this.#recorder;
    const transfer = call.body !== undefined || call.onChunk !== undefined;
    const { window } = recorder;
    const underWay = transfer ? recorder.beginTransfer(`${call.kind} ${call.path}`) : undefined;
    const startedMs = performance.now();
    let answer: Answer | undefined;
    let failure: string | undefined;
    let cut = false;
    try {
      answer = await this.#exchange(call);
      if (!call.expect.includes(answer.status))
        failure = `${call.method} ${call.path}: status ${answer.status}, expected ${call.expect.join(" or ")}: ${answer.body.slice(0, 300)}`;
      else {
        const wrong = call.check?.(answer);
        if (wrong !== undefined) failure = `${call.method} ${call.path}: ${wrong}`;
      }
    } catch (error) {
      failure = `${call.method} ${call.path}: ${error instanceof Error ? error.message : String(error)}`;
      cut = transfer;
    }
    underWay?.end();
    recorder.record({
      kind: call.kind,
      transfer,
      window,
      startedMs,
      cut,
      ...(failure === undefined ? {} : { failure }),
    });
    return failure === undefined ? answer : undefined;
  }

  close(): void {
    this.#agent.destroy();
  }

  async #exchange(call: Call): Promise<Answer> {
    const json = call.json === undefined ? undefined : Buffer.from(JSON.stringify(call.json));
    const headers: Record<string, string | number> = { ...(json ? jsonHeaders(json) : {}), ...call.headers };
    if (call.token !== undefined) headers["X-Auth-Token"] = this.#tokens.get(call.token) ?? call.token;
    const signal = AbortSignal.timeout(call.timeoutMs ?? 60_000);
    const outgoing = request({
      ...target(this.#origin),
      method: call.method,
      path: call.path,
      headers,
      agent: this.#agent,
      signal,
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once("response", resolve);
      outgoing.once("error", reject);
    });
    // Whatever fails first says why; the other one then fails too and has nothing to add.
    answered.catch(() => undefined);
    if (call.body) {
      const sent = pipeline(call.body, outgoing);
      // An answer may come before the body is sent (a refusal), and is then what counts.
      await Promise.race([sent, answered]);
      sent.catch(() => undefined);
    } else outgoing.end(json);
    return collect(await answered, call);
  }
}

function target(origin: URL): { host: string; port: string } {
  return { host: origin.hostname, port: origin.port };
}

function jsonHeaders(json: Buffer): Record<string, string | number> {
  return { "Content-Type": "application/json", "Content-Length": json.length };
}

async function collect(response: IncomingMessage, call: Call): Promise<Answer> {
  const status = response.statusCode ?? 0;
  const toCaller = call.onChunk !== undefined && call.expect.includes(status);
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (toCaller) await call.onChunk?.(chunk);
    else if (bytes <= bodyBytesMax) parts.push(chunk);
  }
  const announced = response.headers["content-length"];
  if (announced !== undefined && Number(announced) !== bytes)
    throw new Error(`the body ended after ${bytes} of ${announced} bytes`);
  if (!response.complete) throw new Error("the connection ended inside the answer");
  return { status, headers: response.headers, body: Buffer.concat(parts).toString("utf8") };
}

/** A stream that gives `source` slowly: `pace` is awaited before each chunk. */
export function paced(source: Readable, pace: () => Promise<void>): Readable {
  return Readable.from(
    (async function* () {
      for await (const chunk of source) {
        await pace();
        yield chunk;
      }
    })(),
    { objectMode: false },
  );
}

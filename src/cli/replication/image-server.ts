// One of the services that glance-replicator copies from or to, by version 2 of the API. Data is streamed in both directions.
import { Readable } from "node:stream";
import { Agent, request } from "undici";
import { errorText } from "../../core/errors.ts";
import { ClientFailure, messageOf } from "../client-failure.ts";
import { type ImageRecord, isImageRecord, type PatchStep } from "./image-record.ts";

/** With this service nothing goes on: it is away, or takes no token. */
export class ServerFailure extends ClientFailure {}

type Call = {
  readonly body?: string | Readable;
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses that are no failure. */
  readonly taken: readonly number[];
};
type Answer = { readonly status: number; readonly body: Readable };

export type ServerOptions = {
  /** `host:port`, or a URL. */
  readonly address: string;
  /** null: none is sent. */
  readonly token: string | null;
  /** Certificates that do not verify are taken. */
  readonly insecure: boolean;
  readonly signal: AbortSignal;
  /** Is told of every request. */
  readonly debug: (line: string) => void;
};

const portDefault = 9292;
const pageImages = 100;
const silenceMsMax = 300_000;
/** What a service of a store far away may take from the last byte to its answer. */
const answerMsMax = 3_600_000;
/** A page of images has some hundred kilobytes. */
const answerBytesMax = 2 ** 24;

/** All of them, for whoever may see them: those of everybody's community and hidden ones are listed only where they are asked for. */
const listings = ["", "visibility=community", "os_hidden=true", "os_hidden=true&visibility=community"];

export class ImageServer {
  readonly url: string;
  readonly #options: ServerOptions;
  readonly #agent: Agent;

  /** Throws ClientFailure where the address is none. */
  constructor(options: ServerOptions) {
    this.url = urlOf(options.address);
    this.#options = options;
    this.#agent = new Agent({
      connect: { rejectUnauthorized: !options.insecure },
      headersTimeout: answerMsMax,
      bodyTimeout: silenceMsMax,
    });
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  /** Each once, by pages. Throws ClientFailure. */
  async *images(): AsyncGenerator<ImageRecord> {
    const seen = new Set<string>();
    for (const listing of listings)
      for await (const image of this.#list(listing)) {
        if (seen.has(image.id)) continue;
        seen.add(image.id);
        yield image;
      }
  }

  async *#list(query: string): AsyncGenerator<ImageRecord> {
    let path: string | undefined = `/v2/images?limit=${pageImages}&sort=created_at:asc${query && `&${query}`}`;
    while (path !== undefined) {
      // Older services know no community, and say so.
      const { status, body } = await this.#call("GET", path, { taken: query === "" ? [200] : [200, 400] });
      const text = await readAll(body);
      if (status === 400) return;
      const { images, next } = this.#parse(text) as { images?: readonly unknown[]; next?: string };
      for (const image of images ?? []) {
        if (!isImageRecord(image)) throw new ServerFailure(`${this.url} lists what is no image: ${text.slice(0, 200)}`);
        yield image;
      }
      path = next;
    }
  }

  /** null: it is not there, or not for this token to see. */
  async find(id: string): Promise<ImageRecord | null> {
    const { status, body } = await this.#call("GET", `/v2/images/${id}`, { taken: [200, 404] });
    const text = await readAll(body);
    if (status === 404) return null;
    const image = this.#parse(text);
    if (!isImageRecord(image)) throw new ServerFailure(`${this.url} shows what is no image: ${text.slice(0, 200)}`);
    return image;
  }

  async data({ id }: ImageRecord): Promise<Readable> {
    const { status, body } = await this.#call("GET", `/v2/images/${id}/file`, { taken: [200, 204] });
    if (status === 200) return body;
    body.resume();
    return Readable.from([], { objectMode: false });
  }

  async create(fields: Readonly<Record<string, unknown>>): Promise<void> {
    const { status, body } = await this.#call("POST", "/v2/images", {
      body: JSON.stringify(fields),
      headers: { "content-type": "application/json" },
      taken: [201, 409],
    });
    const text = await readAll(body);
    if (status === 409)
      throw new ClientFailure(
        `${this.url} has, or had, an image of this id that the token does not see: ${messageOf(text)}`,
      );
  }

  async update(id: string, steps: readonly PatchStep[]): Promise<void> {
    const { body } = await this.#call("PATCH", `/v2/images/${id}`, {
      body: JSON.stringify(steps),
      headers: { "content-type": "application/openstack-images-v2.1-json-patch" },
      taken: [200],
    });
    await readAll(body);
  }

  /** Rejects with what `data` fails with, and the service keeps nothing of it. */
  async upload(id: string, data: Readable, bytes: number): Promise<void> {
    const { body } = await this.#call("PUT", `/v2/images/${id}/file`, {
      body: data,
      headers: { "content-type": "application/octet-stream", "content-length": String(bytes) },
      taken: [204],
    });
    await readAll(body);
  }

  async #call(method: "GET" | "POST" | "PATCH" | "PUT", path: string, { body, headers, taken }: Call): Promise<Answer> {
    const { token, signal, debug } = this.#options;
    const url = `${this.url}${path}`;
    const answer = await request(url, {
      method,
      headers: {
        accept: "application/json, application/octet-stream",
        ...headers,
        ...(token && { "x-auth-token": token }),
      },
      ...(body !== undefined && { body }),
      dispatcher: this.#agent,
      signal,
    }).catch((error: unknown) => {
      if (signal.aborted) throw signal.reason;
      if (error instanceof ClientFailure) throw error;
      const failure = `${method} ${url} failed: ${reasonOf(error)}`;
      // Whoever refuses data may close the connection without a word; whether the service is there shows at the next call.
      throw body instanceof Readable ? new ClientFailure(failure) : new ServerFailure(failure);
    });
    debug(`${method} ${url}: ${answer.statusCode}`);
    if (taken.includes(answer.statusCode)) return { status: answer.statusCode, body: answer.body };
    const why = messageOf(await readAll(answer.body));
    if (answer.statusCode === 401)
      throw new ServerFailure(`${this.url} takes no such token (401): give a valid one, and run it again to go on`);
    throw new ClientFailure(`${method} ${url} was answered ${answer.statusCode}: ${why}`);
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw new ServerFailure(`${this.url} does not answer as an image service; check host and port`);
    }
  }
}

function urlOf(address: string): string {
  const wrong = new ClientFailure(`"${address}" is no server: give host:port, or a URL such as https://host:9292`);
  if (/^https?:\/\//i.test(address)) {
    if (!URL.canParse(address)) throw wrong;
    return address.replace(/\/+$/, "").replace(/\/v2$/, "");
  }
  const [, host, port = String(portDefault)] = /^(\[[0-9a-f:.]+\]|[^:/\s]+)(?::(\d{1,5}))?$/i.exec(address) ?? [];
  if (host === undefined || Number(port) > 65_535) throw wrong;
  return `http://${host}:${port}`;
}

async function readAll(body: Readable): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > answerBytesMax) throw new ServerFailure("an answer has no end; check host and port");
  }
  return Buffer.concat(pieces).toString("utf8");
}

/** undici hides the system's word in what it was caused by. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return errorText(cause ?? error);
}

// Fetches a URL as a stream. Every hop is asked of the filter, names are resolved once and connected to by the address that was looked at, so
// that a name cannot lead elsewhere between the look and the connection.
import { lookup as resolve } from "node:dns/promises";
import type { ClientRequest, IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";
import type { Readable } from "node:stream";
import { errorText, isServiceError, ServiceError } from "../../core/errors.ts";
import { request as requestHttp } from "../../core/node-http.ts";
import type { UriFilter } from "./uri-filter.ts";

const redirectsMax = 5;
const redirects: readonly number[] = [301, 302, 303, 307, 308];
/** Until the first byte of an answer, and between any two. */
const silentMsMax = 60_000;

export type WebDownload = {
  readonly stream: Readable;
  /** What the server announced; null where it did not. */
  readonly sizeBytes: number | null;
};

export type WebDownloadOptions = {
  readonly signal: AbortSignal;
  readonly filter: UriFilter;
  readonly silentMsMax?: number;
  /** Sent along, to this URL and no other. */
  readonly headers?: Readonly<Record<string, string>>;
};

/** Throws images.invalid (the filter), images.source_failed (what the server did), the signal's reason. */
export async function openWebDownload(uri: string, options: WebDownloadOptions): Promise<WebDownload> {
  let url = options.filter.parse(uri);
  let headers = options.headers ?? {};
  for (let hop = 0; hop <= redirectsMax; hop++) {
    const response = await answerOf(url, headers, options);
    const status = response.statusCode ?? 0;
    const { location } = response.headers;
    if (status === 200) return { stream: response, sizeBytes: sizeOf(response) };
    response.destroy();
    if (!redirects.includes(status) || location === undefined) throw failed(url, `it answered ${status}`);
    if (!URL.canParse(location, url)) throw failed(url, "it redirects to what is no URL");
    // Written out again, so that the filter sees what a client would have had to write.
    url = options.filter.parse(/^[a-z][a-z0-9+.-]*:/i.test(location) ? location : new URL(location, url).href);
    headers = {};
  }
  throw failed(url, `it redirects more than ${redirectsMax} times`);
}

function sizeOf({ headers }: IncomingMessage): number | null {
  const length = headers["content-length"];
  return length !== undefined && /^\d+$/.test(length) ? Number(length) : null;
}

function answerOf(
  url: URL,
  headers: Readonly<Record<string, string>>,
  { signal, filter, silentMsMax: msMax = silentMsMax }: WebDownloadOptions,
): Promise<IncomingMessage> {
  signal.throwIfAborted();
  return new Promise((answered, reject) => {
    const send = url.protocol === "https:" ? requestHttps : requestHttp;
    const request: ClientRequest = send(url, {
      agent: false,
      signal,
      lookup: checkedLookup(url.hostname, filter),
      // What is compressed on the way would be another image.
      headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": "glance", ...headers },
    });
    const fail = (error: unknown) =>
      reject(signal.aborted ? signal.reason : isServiceError(error) ? error : failed(url, errorText(error), error));
    request.setTimeout(msMax, () => request.destroy(new Error(`nothing came for ${msMax / 1000} seconds`)));
    request.on("error", fail);
    request.on("response", (response) => {
      // Told to whoever reads, as the stream's error.
      response.on("error", () => undefined);
      answered(response);
    });
    request.end();
  });
}

/** Resolves a name as the system does, and lets through the addresses that the filter allows; none: the connection fails. */
function checkedLookup(host: string, filter: UriFilter): LookupFunction {
  return (name, { family, all }, done) => {
    const only = family === 6 || family === "IPv6" ? 6 : family === 4 || family === "IPv4" ? 4 : 0;
    resolve(name, { all: true, family: only }).then(
      (found) => {
        const allowed = found.filter(({ address }) => filter.allowsAddress(address, host));
        const [first] = allowed;
        if (!first) done(notAllowed(name), []);
        else if (all) done(null, allowed);
        else done(null, first.address, first.family);
      },
      (error) => done(error, []),
    );
  };
}

function notAllowed(name: string): ServiceError {
  return new ServiceError("images.invalid", `${name} leads to no address that may be imported from here.`);
}

function failed(url: URL, why: string, cause?: unknown): ServiceError {
  return new ServiceError("images.source_failed", `${url.origin} did not give the data: ${why}.`, { cause });
}

// The few calls of S3 that the store needs, signed. What a reply means for the store is decided here: missing, refused, full, or failing.
import { createHash } from "node:crypto";
import aws4 from "aws4";
import { ServiceError } from "../../core/errors.ts";
import { discard, HttpClient, type HttpReply, textOf } from "../wire/http-client.ts";

export type S3Account = {
  /** With scheme, without a path, such as `https://s3.example`. */
  readonly endpoint: URL;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
  /** The bucket stands in the host name, not in the path. */
  readonly bucketInHost: boolean;
  readonly ca?: Buffer;
};

export type S3Call = {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly bucket: string;
  /** Absent: of the bucket itself. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Buffer[];
  /** SHA-256 of the body, hex, where it is known already: what is signed, and what the server checks the body by. */
  readonly sha256?: string;
  readonly signal?: AbortSignal | undefined;
};

export class S3Client {
  readonly #account: S3Account;
  readonly #http: HttpClient;

  constructor(account: S3Account) {
    this.#account = account;
    this.#http = new HttpClient(account.ca ? { ca: account.ca } : {});
  }

  /** The reply with its body unread, whatever its status. Throws stores.unavailable, the signal's reason. */
  async call(call: S3Call): Promise<HttpReply> {
    const { endpoint, bucketInHost, region, accessKey, secretKey } = this.#account;
    const host = bucketInHost ? `${call.bucket}.${endpoint.host}` : endpoint.host;
    const parts = [...(bucketInHost ? [] : [call.bucket]), ...(call.key === undefined ? [] : [call.key])];
    const query = new URLSearchParams(call.query)
      .toString()
      .replaceAll("+", "%20")
      .replace(/=(?=&|$)/g, "");
    const path = `/${parts.map(encodeURIComponent).join("/")}${query === "" ? "" : `?${query}`}`;
    const sha256 = call.sha256 ?? sha256Of(call.body ?? []);
    const { method, body, signal } = call;
    const headers = () => {
      const signed = aws4.sign(
        { service: "s3", region, method, host, path, headers: { ...call.headers, "X-Amz-Content-Sha256": sha256 } },
        { accessKeyId: accessKey, secretAccessKey: secretKey },
      );
      return signed.headers ?? {};
    };
    const url = new URL(path, `${endpoint.protocol}//${host}`);
    return await this.#http.request({ method, url, headers, ...(body ? { body } : {}), signal });
  }

  /** As call, with the body as text; throws where the status is none of success. See failureOf. */
  async ask(call: S3Call): Promise<{ readonly headers: HttpReply["headers"]; readonly text: string }> {
    const reply = await this.call(call);
    const text = await textOf(reply);
    // Some answers begin before their outcome is known, and tell of failures in the body.
    if (reply.status >= 300 || /<Error>/.test(text)) throw failureOf(call, reply.status, text);
    return { headers: reply.headers, text };
  }

  /** What HEAD tells of an object; undefined where there is none. Throws stores.unavailable, stores.read_only. */
  async head(bucket: string, key: string, signal?: AbortSignal): Promise<HttpReply["headers"] | undefined> {
    const call = { method: "HEAD", bucket, key, signal } as const;
    const reply = await this.call(call);
    discard(reply);
    if (reply.status === 404) return undefined;
    if (reply.status >= 300) throw failureOf(call, reply.status, "");
    return reply.headers;
  }

  close(): void {
    this.#http.close();
  }
}

export function sha256Of(chunks: readonly Buffer[]): string {
  const hash = createHash("sha256");
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex");
}

/** stores.blob_not_found (404), stores.read_only (401, 403), stores.full (quota, 413, 507), else stores.unavailable. */
export function failureOf({ method, bucket, key }: S3Call, status: number, text: string): ServiceError {
  const code = elements(text, "Code")[0] ?? "";
  const facts = { method, bucket, key: key ?? null, status, code };
  const what = `S3 answered ${status}${code ? ` (${code})` : ""} to ${method} in bucket ${bucket}`;
  if (status === 404) return new ServiceError("stores.blob_not_found", `${what}: there is no such data.`, { facts });
  if (status === 401 || status === 403)
    return new ServiceError("stores.read_only", `${what}: the account may not do that.`, { facts });
  if (status === 413 || status === 507 || /Quota|EntityTooLarge/i.test(code))
    return new ServiceError("stores.full", `${what}: the store has no room left.`, { facts });
  return new ServiceError("stores.unavailable", `${what}.`, { facts });
}

/** The texts of all elements of a name in an answer of S3, which nests no element in one of its own name. */
export function elements(xml: string, name: string): readonly string[] {
  const found = xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"));
  return [...found].map(([, text = ""]) =>
    text
      .replaceAll("&lt;", "<")
      .replaceAll("&gt;", ">")
      .replaceAll("&quot;", '"')
      .replaceAll("&apos;", "'")
      .replaceAll(/&#(\d+);/g, (_match, digits: string) => String.fromCodePoint(Number(digits)))
      .replaceAll("&amp;", "&"),
  );
}

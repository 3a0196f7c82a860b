// Locations in S3: `s3://host/bucket/key` over http, `s3+https://` over https. Older ones have the keys of an account in front of the host, which
// are read over: this store uses its own, and writes none.

export type S3Location = {
  readonly host: string;
  readonly secure: boolean;
  readonly bucket: string;
  readonly key: string;
};

/** undefined where it is none. A secret may hold slashes; the last `@` ends it. */
export function parseS3Location(url: string): S3Location | undefined {
  const [, scheme, rest = ""] = /^(s3(?:\+https?)?):\/\/(?:.*@)?([^@]*)$/i.exec(url) ?? [];
  if (scheme === undefined) return undefined;
  const parts = rest.split("/").filter((part) => part !== "");
  const [key, bucket] = [parts.at(-1), parts.at(-2)];
  const host = parts.slice(0, -2).join("/").toLowerCase();
  if (key === undefined || bucket === undefined || host === "" || !/^[\w.-]{1,255}$/.test(key)) return undefined;
  return { host, secure: scheme.toLowerCase() === "s3+https", bucket, key };
}

export function s3Url({ host, secure, bucket, key }: S3Location): string {
  return `${secure ? "s3+https" : "s3"}://${host}/${bucket}/${key}`;
}

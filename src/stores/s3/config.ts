// Options of the S3 store under Glance's names, and their reading into the store's own terms.
import { type OptionSpec, optionGroup } from "../../core/options.ts";
import { invalid } from "../config.ts";
import type { StoreDriver } from "../driver.ts";
import { readCa } from "../http/config.ts";
import { openS3Store } from "./s3-store.ts";

const megabyte = 1_048_576;

export const s3StoreOptions = {
  s3_store_host: {
    type: "string",
    default: null,
    help: "Where the S3 server is: `https://host` or `http://host:port`; without a scheme http is meant.",
  },
  s3_store_access_key: { type: "string", default: null, secret: true, help: "Access key of the S3 account." },
  s3_store_secret_key: { type: "string", default: null, secret: true, help: "Secret key of the S3 account." },
  s3_store_bucket: { type: "string", default: null, help: "The bucket that image data goes to." },
  s3_store_region_name: {
    type: "string",
    default: "",
    help: "Region that requests are signed for. Empty: us-east-1, which servers other than Amazon's take.",
  },
  s3_store_create_bucket_on_put: {
    type: "boolean",
    default: false,
    help: "Make the bucket with the first upload, where it is missing.",
  },
  s3_store_bucket_url_format: {
    type: "string",
    default: "auto",
    choices: ["auto", "virtual", "path"],
    help: "Where requests name the bucket: in the host name (virtual) or in the path. auto: virtual for Amazon, path for others.",
  },
  s3_store_large_object_size: {
    type: "integer",
    default: 100,
    min: 1,
    help: "Shown to admins only: every upload goes in parts, so that it can be taken up and taken away.",
  },
  s3_store_large_object_chunk_size: {
    type: "integer",
    default: 10,
    min: 5,
    max: 5_120,
    help: "Megabytes of a part; parts of images over 5,000 MB grow.",
  },
  s3_store_thread_pools: {
    type: "integer",
    default: 10,
    min: 1,
    help: "Parts of one upload that are sent at once, as far as they take no more than 32 MB of memory together.",
  },
  s3_store_cacert: {
    type: "string",
    default: "",
    help: "PEM file of the authorities that vouch for an https server. Empty: those of the system.",
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;

export const s3Driver: StoreDriver = {
  type: "s3",
  aliases: ["s3", "s3+http", "s3+https"],
  options: s3StoreOptions,
  configure(config, section) {
    const options = config.read(optionGroup(section, s3StoreOptions));
    const required = (option: "s3_store_host" | "s3_store_access_key" | "s3_store_secret_key" | "s3_store_bucket") => {
      const value = options[option];
      if (!value) throw invalid(section, option, "", "an s3 store needs it.");
      return value;
    };
    const host = required("s3_store_host");
    const endpoint = endpointOf(section, host);
    const bucket = required("s3_store_bucket");
    if (!/^[a-z0-9A-Z][\w.-]{1,254}$/.test(bucket))
      throw invalid(section, "s3_store_bucket", bucket, "that is no name of a bucket.");
    const ca =
      options.s3_store_cacert === "" ? {} : { ca: readCa(section, "s3_store_cacert", options.s3_store_cacert) };
    const format = options.s3_store_bucket_url_format;
    const amazon = /(^|\.)amazonaws\.com(\.cn)?$/.test(endpoint.hostname) && !bucket.includes(".");
    const account = {
      endpoint,
      accessKey: required("s3_store_access_key"),
      secretKey: required("s3_store_secret_key"),
      region: options.s3_store_region_name || "us-east-1",
      bucketInHost: format === "virtual" || (format === "auto" && amazon),
      ...ca,
    };
    return {
      places: [`s3://${endpoint.host}/${bucket}`],
      open: async () =>
        openS3Store({
          account,
          bucket,
          createBucket: options.s3_store_create_bucket_on_put,
          largeObjectMb: options.s3_store_large_object_size,
          partBytes: options.s3_store_large_object_chunk_size * megabyte,
          partsAtOnce: options.s3_store_thread_pools,
        }),
    };
  },
};

function endpointOf(section: string, host: string): URL {
  const text = /^https?:\/\//i.test(host) ? host : `http://${host}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.pathname !== "/" || url.search !== "" || url.username !== "")
    throw invalid(section, "s3_store_host", host, "give a host, such as https://s3.example or http://127.0.0.1:8080.");
  return url;
}

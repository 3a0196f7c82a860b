// The S3 store against a real server: Swift's S3 API. Everything a store promises, and what only S3 has: parts, their resumption and their fence.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { isServiceError } from "../../src/core/errors.ts";
import { elements, S3Client } from "../../src/stores/s3/s3-client.ts";
import { openS3Store } from "../../src/stores/s3/s3-store.ts";
import { storeConformance } from "../../src/stores/testing/store-conformance.ts";
import { type SwiftServer, startSwift } from "../servers/swift.ts";

const signal = new AbortController().signal;
let swift: SwiftServer;
before(async () => {
  swift = await startSwift();
});
after(() => swift?.stop());

async function openStore(options: { secretKey?: string; createBucket?: boolean } = {}) {
  const bucket = `images-${randomUUID()}`;
  const account = {
    endpoint: new URL(swift.url),
    accessKey: swift.user,
    secretKey: options.secretKey ?? swift.key,
    region: "us-east-1",
    bucketInHost: false,
  };
  const client = new S3Client(account);
  const createBucket = options.createBucket ?? true;
  if (createBucket && options.secretKey === undefined) await client.ask({ method: "PUT", bucket });
  const store = openS3Store({
    account,
    bucket,
    createBucket,
    largeObjectMb: 100,
    partBytes: 1_048_576,
    partsAtOnce: 3,
  });
  /** Objects, and uploads that were not completed. */
  const contents = async () => {
    const objects = await client.ask({ method: "GET", bucket });
    const uploads = await client.ask({ method: "GET", bucket, query: { uploads: "" } });
    return [...elements(objects.text, "Key"), ...elements(uploads.text, "UploadId")];
  };
  const close = async () => {
    await store.close();
    client.close();
  };
  return { store, client, bucket, contents, close };
}

storeConformance("s3 store", () => openStore());

test("s3 store: what a killed put left is found and taken away", async () => {
  const { store, client, bucket, contents, close } = await openStore();
  const id = randomUUID();
  await client.ask({ method: "POST", bucket, key: id, query: { uploads: "" } });
  await client.ask({ method: "POST", bucket, key: `${id}-other`, query: { uploads: "" } });
  assert.equal((await contents()).length, 2);
  await store.remove(store.locationFor(id));
  assert.equal((await contents()).length, 1, "that of another image stays");
  await close();
});

test("s3 store: a bucket that is missing is made where that is asked for, and an error says so where not", async () => {
  const without = await openStore({ createBucket: false });
  await assert.rejects(
    without.store.put("id", Readable.from([Buffer.from("x")]), { signal }),
    (error) => isServiceError(error, "stores.unavailable") && error.message.includes("s3_store_create_bucket_on_put"),
  );
  await without.close();
  const wrong = await openStore({ secretKey: "wrong" });
  await assert.rejects(wrong.store.put("id", Readable.from([]), { signal }), (error) =>
    isServiceError(error, "stores.read_only"),
  );
  await wrong.close();
});

test("s3 store: locations with keys of an account in them are read, by the store's own keys", async () => {
  const { store, bucket, close } = await openStore();
  const data = randomBytes(2_500_000);
  const id = randomUUID();
  const { url } = await store.put(id, Readable.from([data]), { signal });
  assert(!url.includes(swift.key));
  const old = `s3://someone:se/cr@et@${new URL(swift.url).host}/${bucket}/${id}`;
  assert(store.owns(old));
  assert((await buffer(await store.open(old, { signal }))).equals(data));
  await store.remove(old);
  await assert.rejects(store.size(url), (error) => isServiceError(error, "stores.blob_not_found"));
  await close();
});

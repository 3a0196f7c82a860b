import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../core/config.ts";
import { isServiceError } from "../../core/errors.ts";
import { optionGroup } from "../../core/options.ts";
import { s3Driver, s3StoreOptions } from "./config.ts";
import { elements } from "./s3-client.ts";
import { parseS3Location, s3Url } from "./s3-location.ts";

test("s3 locations: all forms of the reference are read, and ours have no keys in them", () => {
  const plain = { host: "s3.example:8080", secure: true, bucket: "images", key: "id-1" };
  for (const url of [
    "s3+https://s3.example:8080/images/id-1",
    "s3+https://key:se/cr:et@S3.example:8080/images/id-1",
    "S3+HTTPS://s3.example:8080//images/id-1",
  ])
    assert.deepEqual(parseS3Location(url), plain, url);
  assert.equal(s3Url(plain), "s3+https://s3.example:8080/images/id-1");
  assert.equal(parseS3Location("s3://h/b/k")?.secure, false);
  assert.equal(parseS3Location("s3+http://h/b/k")?.secure, false);
  for (const url of ["s3://h/b", "s3://", "s3:", "http://h/b/k", "s3://h/b/k?x", "s3://h/b/a b", ""])
    assert.equal(parseS3Location(url), undefined, url);
});

test("s3 answers: elements by name, with what stands for other characters", () => {
  assert.deepEqual(elements("<a><Key>x&amp;lt;&#47;</Key><Key></Key></a>", "Key"), ["x&lt;/", ""]);
});

const good = `[glance_store]
s3_store_host = https://s3.example
s3_store_access_key = a
s3_store_secret_key = b
s3_store_bucket = images
`;
const configure = (text: string) => {
  const groups = [optionGroup("glance_store", s3StoreOptions)];
  return s3Driver.configure(loadConfig({ files: [{ file: "f", text }], groups }), "glance_store");
};

test("s3 config: what an s3 store needs is asked for by name, and what cannot be is refused", async () => {
  const plan = configure(good);
  assert.deepEqual(plan.places, ["s3://s3.example/images"]);
  const store = await plan.open();
  assert.equal(store.locationFor("id"), "s3+https://s3.example/images/id");
  assert.deepEqual(store.properties.shown, {
    s3_store_large_object_size: 100,
    s3_store_large_object_chunk_size: 10,
    s3_store_thread_pools: 10,
  });
  await store.close();
  for (const [option, text] of [
    ["s3_store_host", good.replace(/s3_store_host.*\n/, "")],
    ["s3_store_host", good.replace("https://s3.example", "https://s3.example/path")],
    ["s3_store_secret_key", good.replace(/s3_store_secret_key.*\n/, "")],
    ["s3_store_bucket", good.replace("images", "a/b")],
    ["s3_store_cacert", `${good}s3_store_cacert = /nowhere\n`],
  ] as const)
    assert.throws(
      () => configure(text),
      (error) => isServiceError(error, "config.invalid") && error.message.includes(option),
      option,
    );
});

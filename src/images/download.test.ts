import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { ServiceError } from "../core/errors.ts";
import type { Store } from "../stores/store.ts";
import { admin, alice, bob, Fixture, formats, never, send, withCode } from "./testing/fixture.ts";

async function stored(data: Buffer, options: Parameters<Fixture["node"]>[0] = {}) {
  const fixture = new Fixture();
  const services = fixture.node(options);
  const { id: imageId } = await services.images.create(alice, formats);
  await send(services, alice, imageId, data);
  return { fixture, services, imageId };
}

test("download: a range comes with the size and checksum of the whole image", async () => {
  const data = randomBytes(2_000_000);
  const { services, imageId } = await stored(data);
  const range = { kind: "last", count: 1_000 } as const;
  const download = await services.data.download(alice, imageId, { signal: never, range });
  assert.deepEqual([download.sizeBytes, download.range], [2_000_000, { start: 1_999_000, end: 1_999_999 }]);
  assert.equal(download.checksum?.length, 32);
  assert((await buffer(download.stream)).equals(data.subarray(-1_000)));
});

test("download: a range outside the image is not satisfiable, and nothing is opened", async () => {
  const { fixture, services, imageId } = await stored(Buffer.from("data"));
  const range = { kind: "from", start: 4, end: null } as const;
  await assert.rejects(
    services.data.download(alice, imageId, { signal: never, range }),
    withCode("api.range_not_satisfiable"),
  );
  assert.deepEqual(fixture.transfers.snapshot(), []);
});

test("download: an image without data has none; an invisible one does not exist; policy may refuse", async () => {
  const { fixture, services, imageId } = await stored(Buffer.from("data"));
  const { id: queuedId } = await services.images.create(alice, formats);
  await assert.rejects(services.data.download(alice, queuedId, { signal: never }), withCode("images.no_data"));
  await assert.rejects(services.data.download(bob, imageId, { signal: never }), withCode("images.not_found"));
  const refusing = fixture.node({ policy: { allows: (rule) => rule !== "download_image" } });
  await assert.rejects(refusing.data.download(alice, imageId, { signal: never }), withCode("images.forbidden"));
});

test("download: it is counted while it flows, and no longer once it ends or the client goes away", async () => {
  const { fixture, services, imageId } = await stored(randomBytes(500_000));
  const whole = await services.data.download(alice, imageId, { signal: never });
  assert.deepEqual(
    fixture.transfers.snapshot().map(({ kind, bytesTotal }) => [kind, bytesTotal]),
    [["download", 500_000]],
  );
  await Promise.all([buffer(whole.stream), once(whole.stream, "close")]);
  assert.deepEqual(fixture.transfers.snapshot(), []);

  const cut = await services.data.download(alice, imageId, { signal: never });
  cut.stream.destroy();
  await once(cut.stream, "close");
  assert.deepEqual(fixture.transfers.snapshot(), []);

  const stop = new AbortController();
  const aborted = await services.data.download(alice, imageId, { signal: stop.signal });
  stop.abort();
  await assert.rejects(buffer(aborted.stream));
  assert.deepEqual(fixture.transfers.snapshot(), []);
});

test("download: the next location is taken where one fails, and the worst news told where all do", async () => {
  const { fixture, services, imageId } = await stored(Buffer.from("data"));
  const row = fixture.database.live(imageId);
  assert(row);
  const gone = { url: fixture.store.locationFor("gone"), metadata: {}, status: "active" };
  const foreign = { url: "http://example.org/image", metadata: {}, status: "active" };
  fixture.database.write(imageId, { locations: [foreign, gone, ...row.locations] });
  assert.equal(
    (await buffer((await services.data.download(admin, imageId, { signal: never })).stream)).toString(),
    "data",
  );
  fixture.database.write(imageId, { locations: [gone] });
  await assert.rejects(services.data.download(alice, imageId, { signal: never }), withCode("stores.blob_not_found"));
  fixture.database.write(imageId, { locations: [gone, foreign] });
  await assert.rejects(services.data.download(alice, imageId, { signal: never }), withCode("stores.unavailable"));
});

test("download: a stream that breaks in the middle fails, it does not end", async () => {
  const { fixture, imageId } = await stored(Buffer.alloc(1_000));
  const broken: Store = new Proxy(fixture.store, {
    get(target, name) {
      if (name === "open") return async () => Readable.from(halfOf());
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  async function* halfOf() {
    yield Buffer.alloc(500);
    throw new ServiceError("stores.unavailable", "The disk is gone.");
  }
  const download = await fixture.node({ store: broken }).data.download(alice, imageId, { signal: never });
  await assert.rejects(buffer(download.stream), withCode("stores.unavailable"));
  assert.deepEqual(fixture.transfers.snapshot(), []);
});

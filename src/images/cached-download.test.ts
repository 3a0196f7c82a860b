// Downloads from a cache: who may not have the data does not get the copy either, and the cache's troubles are nobody's.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { parseRange } from "./byte-range.ts";
import type { CacheFill, ImageCache } from "./ports.ts";
import { admin, alice, bob, Fixture, formats, never, read, send, withCode } from "./testing/fixture.ts";

/** Notes what it is asked for; holds `copies`. */
class NotedCache implements ImageCache {
  readonly copies = new Map<string, Buffer>();
  readonly opened: string[] = [];
  readonly evicted: string[] = [];
  readonly fills: { id: string; chunks: Buffer[]; state: "open" | "ended" | "aborted" }[] = [];

  async open({ id }: { id: string }): Promise<Readable | undefined> {
    this.opened.push(id);
    const copy = this.copies.get(id);
    return copy && Readable.from([copy]);
  }

  async fill({ id }: { id: string }): Promise<CacheFill> {
    const fill: (typeof this.fills)[number] = { id, chunks: [], state: "open" };
    this.fills.push(fill);
    return {
      add: async (chunk) => void fill.chunks.push(Buffer.from(chunk)),
      end: () => {
        fill.state = "ended";
      },
      abort: () => {
        if (fill.state === "open") fill.state = "aborted";
      },
    };
  }

  async evict(id: string): Promise<void> {
    this.evicted.push(id);
  }
}

async function setUp() {
  const fixture = new Fixture();
  const cache = new NotedCache();
  const services = fixture.node({ cache });
  const { id } = await services.images.create(alice, { ...formats, visibility: "private" });
  const data = Buffer.alloc(200_000, "data");
  await send(services, alice, id, data);
  return { fixture, cache, services, id, data };
}

test("cached download: the first one fills the cache with the whole image, the next is the copy", async () => {
  const { fixture, cache, services, id, data } = await setUp();
  assert.deepEqual(await read(services, alice, id), data);
  const [fill] = cache.fills;
  assert.equal(fill?.state, "ended");
  assert.deepEqual(Buffer.concat(fill?.chunks ?? []), data);
  cache.copies.set(id, data);
  await fixture.store.remove(fixture.store.locationFor(id));
  assert.deepEqual(await read(services, alice, id), data);
  assert.equal(cache.fills.length, 1);
  assert.deepEqual(fixture.transfers.snapshot(), []);
});

test("cached download: a foreign caller, a policy and a deactivated image are refused before the copy is looked for", async () => {
  const { fixture, cache, services, id, data } = await setUp();
  cache.copies.set(id, data);
  await assert.rejects(read(services, bob, id), withCode("images.not_found"));
  const policy = { allows: (rule: string) => rule !== "download_image" };
  await assert.rejects(read(fixture.node({ cache, policy }), alice, id), withCode("images.forbidden"));
  await services.images.deactivate(admin, id);
  await assert.rejects(read(services, alice, id), withCode("images.forbidden"));
  assert.deepEqual(cache.opened, []);
  await services.images.reactivate(admin, id);
  await services.images.remove(alice, id);
  await assert.rejects(read(services, alice, id), withCode("images.not_found"));
  assert.deepEqual([cache.opened, cache.evicted], [[], [id]]);
});

test("cached download: ranges pass the cache by, and fill nothing", async () => {
  const { cache, services, id, data } = await setUp();
  const part = await services.data.download(alice, id, { signal: never, range: parseRange("bytes=10-19") });
  assert.deepEqual(await buffer(part.stream), data.subarray(10, 20));
  assert.deepEqual([cache.opened, cache.fills], [[], []]);
});

test("cached download: a client that leaves, and a store that fails, end the filling", async () => {
  const { fixture, cache, services, id } = await setUp();
  const left = await services.data.download(alice, id, { signal: never });
  left.stream.destroy();
  await new Promise((resolve) => left.stream.once("close", resolve));
  assert.equal(cache.fills[0]?.state, "aborted");
  await fixture.store.remove(fixture.store.locationFor(id));
  await assert.rejects(read(services, alice, id), withCode("stores.blob_not_found"));
  assert.equal(cache.fills[1]?.state, "aborted");
});

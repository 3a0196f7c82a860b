// What every store promises, as tests that each driver runs against itself.
import assert from "node:assert/strict";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { type ErrorCode, isServiceError } from "../../core/errors.ts";
import { lendPiece } from "../../core/lent-pieces.ts";
import type { Store } from "../store.ts";

export type StoreUnderTest = {
  readonly store: Store;
  /** Names of everything the store holds, partial data too: nothing may stay behind. */
  contents(): Promise<readonly string[]>;
  close(): Promise<void>;
};

const never = new AbortController().signal;

/** Declares the tests; `open` gives each of them an empty store. */
export function storeConformance(name: string, open: () => Promise<StoreUnderTest>): void {
  const promise = (title: string, check: (under: StoreUnderTest) => Promise<void>) =>
    test(`${name}: ${title}`, async () => {
      const under = await open();
      try {
        await check(under);
      } finally {
        await under.close();
      }
    });

  promise("what was put comes out again, whatever the sizes of its chunks", async ({ store }) => {
    for (const sizes of [
      [],
      [0],
      [1],
      [65_536],
      [1, 70_000, 3],
      Array(40).fill(65_536),
      Array(1_500).fill(7),
      [5_000_000],
    ]) {
      const id = randomUUID();
      const data = sizes.map((size) => randomBytes(size));
      const { url, sizeBytes } = await store.put(id, Readable.from(data, { objectMode: false }), { signal: never });
      const all = Buffer.concat(data);
      assert.equal(url, store.locationFor(id));
      assert.equal(sizeBytes, all.length);
      assert.equal(await store.size(url), all.length);
      assert.equal(sha(await buffer(await store.open(url, { signal: never }))), sha(all));
    }
  });

  promise("memory that is lent for what is put is given back only when its bytes are safe", async ({ store }) => {
    const data = randomBytes(20_000_000);
    async function* lent() {
      for (let from = 0; from < data.length; from += 262_144) {
        const piece = Buffer.from(data.subarray(from, from + 262_144));
        lendPiece(piece, () => piece.fill(0));
        yield piece;
      }
    }
    const { url } = await store.put(randomUUID(), Readable.from(lent()), { signal: never });
    assert.equal(sha(await buffer(await store.open(url, { signal: never }))), sha(data));
  });

  promise("a range yields exactly its bytes", async ({ store }) => {
    const data = randomBytes(3_000_000);
    const { url } = await store.put(randomUUID(), Readable.from([data]), { signal: never });
    for (const [start, end] of [
      [0, 0],
      [0, 2_999_999],
      [1, 1],
      [524_287, 524_288],
      [2_999_999, 2_999_999],
      [100, 2_000_000],
    ] as const) {
      const part = await buffer(await store.open(url, { signal: never, range: { start, end } }));
      assert(part.equals(data.subarray(start, end + 1)), `bytes ${start}-${end}`);
    }
  });

  promise("a source that fails leaves nothing, and its own error comes through", async ({ store, contents }) => {
    const failure = new Error("the client went away");
    async function* broken() {
      yield randomBytes(2_000_000);
      throw failure;
    }
    const id = randomUUID();
    await assert.rejects(store.put(id, Readable.from(broken()), { signal: never }), (error) => error === failure);
    assert.deepEqual(await contents(), []);
    await assert.rejects(store.size(store.locationFor(id)), withCode("stores.blob_not_found"));
  });

  promise("an aborted put leaves nothing and ends with the signal's reason", async ({ store, contents }) => {
    const stop = new AbortController();
    const reason = new Error("the node stops");
    const source = endless(() => stop.abort(reason), 3_000_000);
    await assert.rejects(store.put(randomUUID(), source, { signal: stop.signal }), (error) => error === reason);
    assert(source.destroyed);
    assert.deepEqual(await contents(), []);
    await assert.rejects(
      store.put(randomUUID(), Readable.from([]), { signal: AbortSignal.abort(reason) }),
      (error) => error === reason,
    );
    assert.deepEqual(await contents(), []);
  });

  promise("complete data is never replaced", async ({ store, contents }) => {
    const id = randomUUID();
    const first = Buffer.from("first");
    const { url } = await store.put(id, Readable.from([first]), { signal: never });
    await assert.rejects(
      store.put(id, Readable.from([Buffer.from("second")]), { signal: never }),
      withCode("stores.blob_exists"),
    );
    assert((await buffer(await store.open(url, { signal: never }))).equals(first));
    assert.equal((await contents()).length, 1);
  });

  promise("of two puts of one key at once exactly one wins", async ({ store, contents }) => {
    const id = randomUUID();
    const data = [randomBytes(1_500_000), randomBytes(1_500_000)];
    const results = await Promise.allSettled(data.map((one) => store.put(id, Readable.from([one]), { signal: never })));
    assert.deepEqual(results.map((result) => result.status).sort(), ["fulfilled", "rejected"]);
    const lost = results.find((result) => result.status === "rejected");
    assert(lost && isServiceError(lost.reason, "stores.blob_exists"));
    const winner = data[results.findIndex((result) => result.status === "fulfilled")];
    const stored = await buffer(await store.open(store.locationFor(id), { signal: never }));
    assert(winner && stored.equals(winner));
    assert.equal((await contents()).length, 1);
  });

  promise("a remove fences a put that is under way, and takes its partial data", async ({ store, contents }) => {
    const id = randomUUID();
    const gate = Promise.withResolvers<void>();
    const written = Promise.withResolvers<void>();
    async function* slow() {
      yield randomBytes(2_000_000);
      written.resolve();
      await gate.promise;
      yield randomBytes(10);
    }
    const put = store.put(id, Readable.from(slow(), { highWaterMark: 1 }), { signal: never });
    const failed = assert.rejects(put, withCode("stores.unavailable"));
    await written.promise;
    await store.remove(store.locationFor(id));
    gate.resolve();
    await failed;
    assert.deepEqual(await contents(), []);
  });

  promise("removing is final, and removing what is gone succeeds", async ({ store, contents }) => {
    const { url } = await store.put(randomUUID(), Readable.from([Buffer.from("data")]), { signal: never });
    await store.remove(url);
    await store.remove(url);
    assert.deepEqual(await contents(), []);
    await assert.rejects(store.open(url, { signal: never }), withCode("stores.blob_not_found"));
    await assert.rejects(store.size(url), withCode("stores.blob_not_found"));
  });

  promise("removing one image leaves others alone whose ids begin alike", async ({ store }) => {
    const signal = never;
    const { url: short } = await store.put("image", Readable.from([Buffer.from("short")]), { signal });
    const { url: long } = await store.put("image-2", Readable.from([Buffer.from("long")]), { signal });
    await store.remove(short);
    assert.equal(await store.size(long), 4);
  });

  promise("locations of others are not found and not removed", async ({ store }) => {
    for (const url of ["http://example.org/image", "nonsense", "", "file:///etc/passwd"]) {
      await assert.rejects(store.open(url, { signal: never }), withCode("stores.blob_not_found"));
      await assert.rejects(store.size(url), withCode("stores.blob_not_found"));
      await assert.rejects(store.remove(url), withCode("stores.blob_not_found"));
    }
  });

  promise("an aborted read ends", async ({ store }) => {
    const { url } = await store.put(randomUUID(), Readable.from([randomBytes(9_000_000)]), { signal: never });
    const stop = new AbortController();
    const stream = await store.open(url, { signal: stop.signal });
    stop.abort();
    await assert.rejects(buffer(stream));
    await assert.rejects(store.open(url, { signal: stop.signal }));
  });

  promise("no room for what was announced: refused before a byte is read", async ({ store, contents }) => {
    const source = endless(() => assert.fail("read from the source"), 1);
    await assert.rejects(
      store.put(randomUUID(), source, { signal: never, expectedBytes: Number.MAX_SAFE_INTEGER }),
      withCode("stores.full"),
    );
    assert.deepEqual(await contents(), []);
  });

  promise("closing twice is harmless", async ({ store }) => {
    await store.close();
    await store.close();
  });
}

/** Yields data for ever, in small chunks; calls `after` once so many bytes were taken. */
function endless(after: () => void, bytes: number): Readable {
  let taken = 0;
  return new Readable({
    read() {
      taken += 65_536;
      if (taken >= bytes) after();
      setImmediate(() => this.push(Buffer.alloc(65_536)));
    },
  });
}

function withCode(code: ErrorCode): (error: unknown) => boolean {
  return (error) => isServiceError(error, code);
}

function sha(data: Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

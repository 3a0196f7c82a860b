import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { test } from "node:test";
import { lendPiece, returnPiece } from "../core/lent-pieces.ts";
import { type HashAlgorithm, hashAlgorithms, openSslName } from "./hash-algorithms.ts";
import { type Digests, StreamHashes } from "./stream-hashes.ts";

const both: readonly HashAlgorithm[] = ["md5", "sha512"];

const expected = (chunks: readonly Buffer[], algorithms = both): Digests =>
  new Map(algorithms.map((algorithm) => [algorithm, inOnePiece(algorithm, chunks)]));

function inOnePiece(algorithm: HashAlgorithm, chunks: readonly Buffer[]): string {
  const hash = createHash(openSslName(algorithm));
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex");
}

async function digestsOf(chunks: readonly Buffer[], algorithms = both): Promise<Digests> {
  const stream = new StreamHashes(algorithms);
  for (const chunk of chunks) await stream.add(chunk);
  return stream.digests();
}

test("hashes: the same as in one piece, whatever the chunks", async () => {
  for (const sizes of [
    [],
    [0],
    [1],
    [262_144],
    [262_145],
    [524_288, 524_288],
    [3_000_000],
    [1, 524_287, 1],
    Array(200).fill(9_999),
    [100_000, 0, 200_000, 5],
  ]) {
    const chunks = sizes.map((size) => randomBytes(size));
    assert.deepEqual(await digestsOf(chunks), expected(chunks), sizes.slice(0, 4).join());
  }
});

test("hashes: every algorithm an operator may name, under the name and with the value that clients compute", async () => {
  const data = randomBytes(300_000);
  for (const algorithm of hashAlgorithms) {
    const digests = await digestsOf([data], ["md5", algorithm]);
    assert.deepEqual(digests, expected([data], ["md5", algorithm]));
    assert((digests.get(algorithm)?.length ?? 0) <= 128, "os_hash_value holds it");
  }
  // Known answers for "abc", of which the names of those libraries alone could lead astray.
  const abc = await digestsOf([Buffer.from("abc")], ["sha512", "sha3_224", "blake2s"]);
  assert.match(abc.get("sha512") ?? "", /^ddaf35a193617aba/);
  assert.equal(abc.get("sha3_224"), "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf");
  assert.equal(abc.get("blake2s"), "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
});

test("hashes: one named twice is one, and alone it needs no other", async () => {
  const data = randomBytes(1_000_000);
  assert.deepEqual(await digestsOf([data], ["md5", "md5"]), expected([data], ["md5"]));
  assert.deepEqual(await digestsOf([data], ["sha1"]), expected([data], ["sha1"]));
});

test("hashes: many streams at once do not mix", async () => {
  const streams = Array.from({ length: 12 }, (_, n) => Array.from({ length: n * 3 }, () => randomBytes(100_000)));
  assert.deepEqual(
    await Promise.all(streams.map((chunks) => digestsOf(chunks))),
    streams.map((chunks) => expected(chunks)),
  );
});

test("hashes: the slower thread sets the pace, so that what waits for it is bounded", async () => {
  const stream = new StreamHashes(["md5", "sha3_512"]);
  const chunk = randomBytes(2_097_152);
  await stream.add(chunk);
  // Two megabytes are under way; more finds room only when both threads have read some of it.
  let added = false;
  const more = stream.add(chunk).then(() => {
    added = true;
  });
  await Promise.resolve();
  assert.equal(added, false);
  await more;
  assert.deepEqual(await stream.digests(), expected([chunk, chunk], ["md5", "sha3_512"]));
});

test("hashes: the data goes on in its order, in few pieces of memory that nobody writes over while they are lent", async () => {
  for (const sizes of [[], [5], [100_000, 0, 200_000], Array(2_000).fill(99), [262_145], Array(300).fill(65_536)]) {
    const chunks = sizes.map((size) => randomBytes(size));
    const kept = Buffer.concat(chunks);
    const found = createHash("sha256");
    const memory = new Set<ArrayBufferLike>();
    const lent: Buffer[] = [];
    const giveBack = (piece: Buffer) => {
      found.update(piece);
      returnPiece(piece);
    };
    const onPiece = (piece: Buffer) => {
      lent.push(piece);
      memory.add(piece.buffer);
      // Some later than the threads are done with it, some before.
      if (lent.length > 3) lent.splice(0, 2).forEach(giveBack);
    };
    const stream = new StreamHashes(both, { onPiece });
    for (const chunk of chunks) {
      lendPiece(chunk, () => chunk.fill(0));
      await stream.add(chunk);
    }
    assert.deepEqual(await stream.digests(), expected([kept]), `${sizes.length} chunks`);
    lent.forEach(giveBack);
    assert.equal(found.digest("hex"), createHash("sha256").update(kept).digest("hex"), `${sizes.length} chunks`);
    if (kept.length > 10_000_000) assert(memory.size <= 13, `${memory.size} pieces of memory for one stream`);
  }
});

test("hashes: streams one after the other, ended or given up, are in the same memory", async () => {
  const chunk = randomBytes(65_536);
  const memory = new Set<ArrayBufferLike>();
  for (let n = 0; n < 40; n++) {
    const onPiece = (piece: Buffer) => {
      memory.add(piece.buffer);
      returnPiece(piece);
    };
    const stream = new StreamHashes(both, { onPiece });
    for (let at = 0; at < 40; at++) await stream.add(chunk);
    if (n % 2 === 0) await stream.digests();
    else stream.discard();
  }
  assert(memory.size <= 40, `${memory.size} pieces of memory for forty streams of ten`);
});

test("hashes: what a slow client sent goes on though it is little", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const passed: Buffer[] = [];
  const stream = new StreamHashes(both, { onPiece: (piece) => passed.push(piece) });
  const [first, second] = [randomBytes(262_145), randomBytes(10)];
  await stream.add(first);
  const before = passed.length;
  await stream.add(second);
  t.mock.timers.tick(9_999);
  assert.equal(passed.length, before);
  t.mock.timers.tick(1);
  assert(Buffer.concat(passed).equals(Buffer.concat([first, second])));
  t.mock.timers.reset();
  await stream.add(second);
  assert.deepEqual(await stream.digests(), expected([first, second, second]));
  assert(Buffer.concat(passed).equals(Buffer.concat([first, second, second])));
});

test("hashes: pieces that nobody gives back hold up nothing", async () => {
  const chunks = Array.from({ length: 40 }, () => randomBytes(524_288));
  const passed: Buffer[] = [];
  const stream = new StreamHashes(both, { onPiece: (piece) => passed.push(piece) });
  for (const chunk of chunks) await stream.add(chunk);
  assert.deepEqual(await stream.digests(), expected(chunks));
  assert(Buffer.concat(passed).equals(Buffer.concat(chunks)));
});

test("hashes: streams that are given up, small or large, in whatever state, leave the others alone", async () => {
  const data = Array.from({ length: 30 }, () => randomBytes(100_000));
  for (const chunks of [0, 1, 5, 30]) {
    const stream = new StreamHashes(both);
    const adding = (async () => {
      for (const chunk of data.slice(0, chunks)) await stream.add(chunk);
    })();
    stream.discard();
    stream.discard();
    await adding.catch(() => undefined);
    stream.discard();
  }
  assert.deepEqual(await digestsOf(data), expected(data));
});

test("hashes: the event loop stays free while a gigabyte's worth of work is done elsewhere", async () => {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const chunk = randomBytes(65_536);
  delay.enable();
  const stream = new StreamHashes(both);
  for (let n = 0; n < 1_000; n++) await stream.add(chunk);
  await stream.digests();
  delay.disable();
  // A tenth of a second of hashing in one go would show; a busy machine's own pauses are shorter.
  assert(delay.percentile(50) < 50e6, `half of the delays are under 50 ms: ${delay.percentile(50) / 1e6}`);
});

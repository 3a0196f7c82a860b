import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { test } from "node:test";
import { StreamMd5 } from "./stream-md5.ts";

const expected = (chunks: readonly Buffer[]) => {
  const hash = createHash("md5");
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex");
};

async function md5(chunks: readonly Buffer[]): Promise<string> {
  const stream = new StreamMd5();
  for (const chunk of chunks) await stream.add(chunk);
  return stream.digest();
}

test("md5: the same as in one piece, whatever the chunks", async () => {
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
    assert.equal(await md5(chunks), expected(chunks), sizes.slice(0, 4).join());
  }
});

test("md5: many streams at once do not mix", async () => {
  const streams = Array.from({ length: 12 }, (_, n) => Array.from({ length: n * 3 }, () => randomBytes(100_000)));
  assert.deepEqual(await Promise.all(streams.map(md5)), streams.map(expected));
});

test("md5: streams that are given up, small or large, in whatever state, leave the others alone", async () => {
  const data = Array.from({ length: 30 }, () => randomBytes(100_000));
  for (const chunks of [0, 1, 5, 30]) {
    const stream = new StreamMd5();
    const adding = (async () => {
      for (const chunk of data.slice(0, chunks)) await stream.add(chunk);
    })();
    stream.discard();
    stream.discard();
    await adding.catch(() => undefined);
    stream.discard();
  }
  assert.equal(await md5(data), expected(data));
});

test("md5: the event loop stays free while a gigabyte's worth of work is done elsewhere", async () => {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const chunk = randomBytes(65_536);
  delay.enable();
  const stream = new StreamMd5();
  for (let n = 0; n < 1_000; n++) await stream.add(chunk);
  await stream.digest();
  delay.disable();
  // A tenth of a second of hashing in one go would show; a busy machine's own pauses are shorter.
  assert(delay.percentile(50) < 50e6, `half of the delays are under 50 ms: ${delay.percentile(50) / 1e6}`);
});

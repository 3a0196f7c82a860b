// The demo's images are real ones: qemu-img accepts them, and any part of them can be produced again.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { promisify } from "node:util";
import { FormatInspection } from "../src/formats/inspection.ts";
import { refusalOf, virtualBytesOf } from "../src/formats/judge.ts";
import {
  ContentCheck,
  contentMd5,
  contentStream,
  qcow2Content,
  rawContent,
  readContent,
  sampleImages,
} from "./images.ts";
import { clusterBytes, layoutQcow2 } from "./qcow2.ts";

const run = promisify(execFile);

test("qcow2: qemu-img finds no error, and reads the guest's clusters as they were written", async () => {
  const folder = await mkdtemp(join(tmpdir(), "perennial-qcow2-"));
  try {
    for (const sizeBytes of [1, 5 * 1_048_576, 70 * 1_048_576]) {
      const content = qcow2Content(7, `image-${sizeBytes}`, sizeBytes);
      const file = join(folder, "image.qcow2");
      await pipeline(contentStream(content), createWriteStream(file));
      await run("qemu-img", ["check", file]);
      const { stdout } = await run("qemu-img", ["info", "--output=json", file]);
      const info = JSON.parse(stdout) as { "virtual-size": number; "format-specific": { data: { compat: string } } };
      const clusters = Math.max(1, Math.round(sizeBytes / clusterBytes));
      assert.equal(info["virtual-size"], clusters * 2 * clusterBytes);
      assert.equal(info["format-specific"].data.compat, "1.1");
      await run("qemu-img", ["convert", "-O", "raw", file, join(folder, "image.raw")]);
      const guest = await readFile(join(folder, "image.raw"));
      const firstData = content.sizeBytes - clusters * clusterBytes;
      for (const cluster of [0, clusters - 1]) {
        const at = cluster * 2 * clusterBytes;
        const from = firstData + cluster * clusterBytes;
        assert(guest.subarray(at, at + clusterBytes).equals(readContent(content, from, from + clusterBytes)));
        assert(guest.subarray(at + clusterBytes, at + 2 * clusterBytes).every((byte) => byte === 0));
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("qcow2: several L2 tables and refcount blocks stay correct", async () => {
  const folder = await mkdtemp(join(tmpdir(), "perennial-qcow2-"));
  try {
    // Only the metadata is written in full; data clusters are a hole of the right length.
    const guestClusters = Array.from({ length: 33_000 }, (_, index) => index * 3);
    const layout = layoutQcow2({ virtualBytes: 33_000 * 3 * clusterBytes, guestClusters });
    const file = join(folder, "large.qcow2");
    const out = createWriteStream(file);
    out.end(layout.metadata);
    await new Promise((resolve, reject) => out.on("finish", () => resolve(undefined)).on("error", reject));
    await run("truncate", ["-s", String(layout.sizeBytes), file]);
    await run("qemu-img", ["check", file]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("content: any part equals the same part of the whole, and a check finds one wrong byte", async () => {
  for (const content of [rawContent(3, "raw", 300_001), qcow2Content(3, "q", 400_000)]) {
    const whole = Buffer.concat(await contentStream(content, { chunkBytes: 10_007 }).toArray());
    assert.equal(whole.length, content.sizeBytes);
    for (const [start, end] of [
      [0, 1],
      [65_535, 65_537],
      [70_001, 200_000],
      [content.sizeBytes - 1, content.sizeBytes],
    ] as const)
      assert(readContent(content, start, end).equals(whole.subarray(start, end)), `${start}-${end}`);
    const right = new ContentCheck(content, 100, 250_000);
    right.chunk(whole.subarray(100, 150));
    right.chunk(whole.subarray(150, 250_000));
    assert.equal(right.verdict(), undefined);
    const short = new ContentCheck(content);
    short.chunk(whole.subarray(0, -1));
    assert.match(short.verdict() ?? "", /ended at byte/);
    const long = new ContentCheck(content, 0, 250_000);
    long.chunk(whole.subarray(0, 200_000));
    long.chunk(whole.subarray(200_000, 250_001));
    long.chunk(Buffer.alloc(0));
    assert.match(long.verdict() ?? "", /ended at byte 250001 of 250000/);
    const wrong = new ContentCheck(content);
    whole.writeUInt8(whole.readUInt8(123_456) ^ 1, 123_456);
    wrong.chunk(whole);
    assert.match(wrong.verdict() ?? "", /wrong bytes/);
  }
  assert.equal(
    await contentMd5(rawContent(3, "raw", 300_001)),
    await contentMd5(rawContent(3, "raw", 300_001)),
    "content follows from seed and name",
  );
});

test("content: an image of more than its period of random bytes is read across the end of one, and begins anew", () => {
  const period = 16_777_213;
  const content = qcow2Content(3, "long", 40_000_000);
  const at = (offset: number) => readContent(content, offset, offset + 100_000);
  for (let offset = 1_000_000; offset < period; offset += 3_000_017)
    assert(at(offset).equals(at(offset + period)), `${offset}`);
  assert(!at(1_000_000).equals(at(1_000_000 + 2 ** 24)));
  assert(!at(1_000_000).equals(readContent(qcow2Content(3, "other", 40_000_000), 1_000_000, 1_100_000)));
});

test("samples: three of 64 MiB or more, both formats, every kind of sharing", () => {
  const images = sampleImages({ seed: 1, count: 24, projects: ["red", "green", "blue"] });
  assert.equal(images.filter((image) => image.content.sizeBytes >= 64 * 1_048_576).length, 3);
  assert.equal(new Set(images.map((image) => `${image.content.format} ${image.visibility}`)).size, 4);
  assert(images.some((image) => image.members.length > 0));
});

test("content: a service that inspects what is uploaded takes it, with the size of the disk inside", () => {
  for (const make of [qcow2Content, rawContent]) {
    const content = make(5, "sample", 400_000);
    const inspection = new FormatInspection({ vmdkTypes: [] });
    inspection.add(readContent(content));
    inspection.end();
    assert.equal(refusalOf(inspection, content.format, { gptChecksNonfatal: [] }, true), null);
    const bytes = virtualBytesOf(inspection, content.format);
    assert.equal(bytes, content.format === "raw" ? 400_000 : Math.round(400_000 / clusterBytes) * 2 * clusterBytes);
  }
});

test("content: while its checksum is computed the event loop turns, for it times other requests", async () => {
  const content = rawContent(4, "raw", 8 * 1_048_576);
  let computing = true;
  const checksum = contentMd5(content).finally(() => {
    computing = false;
  });
  let turns = 0;
  for (; computing; turns++) await eventLoopTurn();
  await checksum;
  assert(turns >= content.sizeBytes / clusterBytes / 2, `${turns} turns`);
});

// Packed data is unpacked as real tools packed it, and refused where it is not one whole file.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import { unpack, unpackedStream } from "../testing/unpack.ts";

const data = Buffer.concat([randomBytes(200_000), Buffer.alloc(300_000), Buffer.from("end")]);

/** By Python's own library. `streamed`: as into a pipe, where lengths come behind what they are of. */
function zip(files: readonly Buffer[], method = "ZIP_DEFLATED", streamed = false): Buffer {
  const program = `import sys, zipfile, io
sizes = [int(one) for one in sys.argv[1:]]
class Pipe(io.BytesIO):
    def seekable(self): return False
    def seek(self, *_): raise io.UnsupportedOperation()
    def tell(self): raise io.UnsupportedOperation()
out = ${streamed ? "Pipe" : "io.BytesIO"}()
with zipfile.ZipFile(out, "w", zipfile.${method}) as archive:
    for n, size in enumerate(sizes): archive.writestr("file%d" % n, sys.stdin.buffer.read(size))
sys.stdout.buffer.write(out.getvalue())`;
  const sizes = files.map((file) => String(file.length));
  return execFileSync("python3", ["-c", program, ...sizes], { input: Buffer.concat(files), maxBuffer: 2 ** 26 });
}

test("decompression: gzip and zip give what was packed, other data stays as it is", async () => {
  for (const packed of [gzipSync(data), zip([data]), zip([data], "ZIP_STORED"), zip([Buffer.alloc(0)])])
    for (const pieceBytes of [1_009, 65_536]) {
      const expected = packed.length < 200 ? Buffer.alloc(0) : data;
      assert(expected.equals(await unpack(packed, pieceBytes)));
    }
  for (const plain of [data, Buffer.from("PK"), Buffer.from([0x1f, 0x8b, 7, 1, 2]), Buffer.alloc(0)])
    assert(plain.equals(await unpack(plain)));
});

test("decompression: an archive that was made as a stream is unpacked, of one whole file", async () => {
  const whole = zip([data], "ZIP_DEFLATED", true);
  assert(whole.readUInt16LE(6) & 8, "its lengths come behind");
  for (const pieceBytes of [101, 1_009, 65_536, whole.length]) assert(data.equals(await unpack(whole, pieceBytes)));
  assert.equal((await unpack(zip([Buffer.alloc(0)], "ZIP_DEFLATED", true))).length, 0);
  const signed = whole.indexOf(Buffer.from([0x50, 0x4b, 7, 8]), 200_000);
  const unsigned = Buffer.concat([whole.subarray(0, signed), whole.subarray(signed + 4)]);
  assert(data.equals(await unpack(unsigned)), "the signature is optional");
  const damaged = Buffer.from(whole);
  damaged.writeUInt8(damaged.readUInt8(signed + 4) ^ 0xff, signed + 4);
  for (const [name, packed] of Object.entries({
    damaged,
    "two files": zip([data, data], "ZIP_DEFLATED", true),
    "not compressed": zip([data], "ZIP_STORED", true),
    "cut in the file": whole.subarray(0, 100_000),
    "cut in the lengths": whole.subarray(0, signed + 6),
    "no directory": whole.subarray(0, signed + 16),
  }))
    await assert.rejects(unpack(packed), (error) => isServiceError(error, "images.unfit_data"), name);
});

test("decompression: archives that are damaged, cut, or of several files are refused", async () => {
  const whole = zip([data]);
  const damaged = Buffer.from(whole);
  damaged.writeUInt8(damaged.readUInt8(1_000) ^ 0xff, 1_000);
  const cases = {
    "two files": zip([data, data]),
    "a small and an empty file": zip([Buffer.from("x"), Buffer.alloc(0)]),
    damaged,
    "cut in the file": whole.subarray(0, 100_000),
    "cut in the directory": whole.subarray(0, whole.length - 30),
    "no directory": whole.subarray(0, whole.length - 22 - 46 - 5),
    "cut gzip": gzipSync(data).subarray(0, 5_000),
  };
  for (const [name, packed] of Object.entries(cases))
    await assert.rejects(unpack(packed), (error) => isServiceError(error, "images.unfit_data"), name);
});

test("decompression: a source that fails is told from packed data that is broken", async () => {
  const failed = new ServiceError("images.source_failed", "The server went away.");
  for (const packed of [gzipSync(data), zip([data]), zip([data], "ZIP_DEFLATED", true)]) {
    async function* source() {
      yield packed.subarray(0, 100_000);
      throw failed;
    }
    const stream = await unpackedStream(Readable.from(source(), { objectMode: false }));
    await assert.rejects(buffer(stream), (error) => error === failed);
  }
});

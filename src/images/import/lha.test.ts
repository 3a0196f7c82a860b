// lha archives as a real tool packed them, unpacked by the real program; whatever is not one whole file; and a program that is missing or stands still.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { eventually } from "../../../test/servers/eventually.ts";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import { openFileStore } from "../../stores/file/file-store.ts";
import { alice, Fixture, never, read } from "../testing/fixture.ts";
import { lha } from "../testing/lha-writer.ts";
import { unpack, unpackedStream } from "../testing/unpack.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "perennial-lha-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/** What `disk.img` in the archives below is. */
const lines = Buffer.from(Array.from({ length: 800 }, (_, n) => `line ${n % 9} of a disk\n`).join("")).subarray(
  0,
  12_000,
);
/** Made by jLHA 0.0.20050504, each with the header and the method of its name. */
const made = {
  "level 0, -lh5-":
    "HuwtbGg1LW8AAADgLgAAUk17XSAACGRpc2suaW1nA1QAUUtsgop/1dgD+4AMFEgkQhQY9K/sHWVPSAACAeuO9qV083ppTXj3mr4FkBbAXQF8BhAYwGUBnAJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMfzAAA",
  "level 1, -lh5-":
    "IfctbGg1LXQAAADgLgAAUk17XSABCGRpc2suaW1nA1QABQAARuAAAABRS2yCin/V2AP7gAwUSCRCFBj0r+wdZU9IAAIB6472pXTzemlNePeavgWQFsBdAXwGEBjAZQGcAmEwmEwmEwmEwmEwmEwmEwmEwmEwmEwmEwmEwmEwmEwmEwmEwmEwmEwmEwmEwmEwmEwmEx/MAAA=",
  "level 2, -lh7-":
    "KgAtbGg3LW8AAADgLgAAjFAJayACA1QABQAAx/QLAAFkaXNrLmltZwAAAFFLbIKKf9XYA/uADBRIJEIUGPSv7B1lTyQAAQD1x3tSunm9NKa8e81fAsgLYC6AvgMIDGAygM4BMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJhMJj+YAAA==",
} as const;
const packed = Buffer.from(made["level 1, -lh5-"], "base64");
const data = randomBytes(500_000);

test("lha: an archive gives what was packed, whatever pieces it comes in", async () => {
  for (const [name, text] of Object.entries(made))
    for (const pieceBytes of [1, 13, 65_536])
      assert(lines.equals(await unpack(Buffer.from(text, "base64"), pieceBytes)), `${name}, ${pieceBytes}`);
  for (const level of [0, 1, 2] as const)
    for (const extended of level === 0
      ? []
      : [[], [[1, Buffer.from("file")] as const, [2, Buffer.from("a\xff")] as const]]) {
      assert(data.equals(await unpack(lha({ level, data, extended }))), `level ${level}`);
      assert.equal((await unpack(lha({ level, data: Buffer.alloc(0), extended }))).length, 0);
    }
});

test("lha: the name of the file in it is nobody's concern, nor is what follows its end", async () => {
  for (const name of ["../../../etc/passwd", "/etc/passwd", "-x", "", "x".repeat(200)])
    assert(data.equals(await unpack(lha({ name, data }))), name);
  const whole = lha({ data });
  assert(data.equals(await unpack(whole.subarray(0, -1))), "some tools end without a word");
  assert(data.equals(await unpack(Buffer.concat([whole, Buffer.alloc(127, 0x1a)]))), "some fill a block");
});

test("lha: data that only looks a little like an archive stays as it is", async () => {
  for (const plain of ["ab-lhc", "ab-lh5", "ab-lhasa-", "-lh5-", "ab-lz5-"].map((text) => Buffer.from(text)))
    assert(plain.equals(await unpack(plain)), plain.toString());
});

test("lha: archives that are damaged, cut, or of anything but one file are refused, with the reason", async () => {
  const flipped = (archive: Buffer, at: number) => {
    const copy = Buffer.from(archive);
    copy.writeUInt8(copy.readUInt8(at) ^ 0x10, at);
    return copy;
  };
  const cases: readonly (readonly [Buffer, RegExp])[] = [
    [lha({ data: lines }, { name: "other", data }), /more than one file/],
    [lha({ data: Buffer.from("x") }, { method: "-lhd-", name: "folder", data: Buffer.alloc(0) }), /more than one file/],
    [lha({ method: "-lhd-", name: "folder", data: Buffer.alloc(0) }), /a folder or a link/],
    [lha({ method: "-lh3-", data }), /method -lh3-/],
    [lha({ level: 3, data }), /level 3/],
    [lha({ level: 2, data, extended: [[0x42, Buffer.alloc(16)]] }), /4 GiB/],
    [
      lha({
        level: 1,
        data,
        extended: [
          [1, Buffer.alloc(40_000)],
          [1, Buffer.alloc(40_000)],
        ],
      }),
      /header is damaged/,
    ],
    [flipped(lha({ data }), 23), /header is damaged/],
    [flipped(lha({ data }), 0), /header is damaged/],
    [flipped(lha({ data }), 1_000), /damaged/],
    [flipped(packed, 100), /damaged/],
    [packed.subarray(0, 15), /breaks off/],
    [packed.subarray(0, 30), /breaks off/],
    [packed.subarray(0, 100), /breaks off/],
    [lha({ data }).subarray(0, 200_000), /breaks off/],
  ];
  for (const [archive, reason] of cases)
    await assert.rejects(
      unpack(archive),
      (error) => isServiceError(error, "images.unfit_data") && reason.test(error.message),
      String(reason),
    );
});

test("lha: a source that fails is told from an archive that is broken", async () => {
  const failed = new ServiceError("images.source_failed", "The server went away.");
  const archive = lha({ data });
  for (const bytes of [10, 100, 300_000]) {
    async function* source() {
      yield archive.subarray(0, bytes);
      throw failed;
    }
    const stream = unpackedStream(Readable.from(source(), { objectMode: false }));
    await assert.rejects(stream.then(buffer), (error) => error === failed, `after ${bytes}`);
  }
});

/** Runs `work` with another search path for programs. */
async function withPath(path: string, work: () => Promise<void>): Promise<void> {
  const before = process.env.PATH;
  process.env.PATH = path;
  try {
    await work();
  } finally {
    process.env.PATH = before;
  }
}

for (const [way, then] of [
  ["that stands still ends with the import", "sleep 1000"],
  ["that would go on and on ends with whoever gives its data up", "cat /dev/zero"],
] as const)
  test(`lha: a program ${way}`, async () => {
    const bin = await mkdtemp(join(folder, "bin-"));
    await writeFile(join(bin, "lha"), `#!/bin/sh\necho $$ > ${bin}/pid\nhead -c 1\nexec ${then}\n`);
    await chmod(join(bin, "lha"), 0o755);
    await withPath(`${bin}:${process.env.PATH}`, async () => {
      const importing = new AbortController();
      const source = new PassThrough();
      source.write(lha({ data }).subarray(0, 100_000));
      const stream = await unpackedStream(source, importing.signal);
      const failed = once(stream, "error");
      await once(
        stream.once("error", () => undefined),
        "readable",
      );
      const pid = Number(await readFile(join(bin, "pid"), "utf8"));
      if (then === "cat /dev/zero") stream.destroy(new Error("cut"));
      else {
        stream.resume();
        importing.abort(new Error("cut"));
      }
      assert.match(String(await failed), /cut/);
      assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
      if (!stream.closed) await once(stream, "close");
      assert(source.destroyed);
    });
  });

test("lha: an import stores what is inside, fails with its reason, and leaves nothing in staging", async () => {
  const staging = await mkdtemp(join(folder, "staging-"));
  const fixture = new Fixture();
  const services = fixture.node({
    release: "ussuri",
    staging: await openFileStore({ dataDirectory: staging, filePermissions: null, readBytes: 65_536 }),
    importing: { plugins: ["image_decompression"] },
  });
  const imported = async (archive: Buffer) => {
    const { id } = await services.images.create(alice, { disk_format: "raw", container_format: "bare" });
    await services.imports.stage(alice, id, Readable.from([archive]), {
      signal: never,
      announcedBytes: archive.length,
    });
    await services.imports.start(alice, id, {
      method: { name: "glance-direct" },
      storeIds: null,
      headerStoreId: null,
      allStores: false,
      allMustSucceed: true,
      body: {},
    });
    await eventually("the import is through", () => fixture.transfers.snapshot().length === 0);
    const left = (await readdir(staging, { recursive: true })).filter((name) => name !== ".perennial-partial");
    const { status } = fixture.database.live(id) ?? assert.fail("the image is gone");
    return { id, status, left, message: [...fixture.database.tasks.values()].at(-1)?.message ?? "" };
  };
  const whole = await imported(packed);
  assert.deepEqual([whole.status, whole.left], ["active", []], whole.message);
  assert(lines.equals(await read(services, alice, whole.id)));
  const two = await imported(lha({ data }, { data }));
  assert.equal(two.status, "queued");
  assert.match(two.message, /more than one file/);
  await withPath(folder, async () => {
    const without = await imported(packed);
    assert.equal(without.status, "queued");
    assert.match(without.message, /program lha is not installed there \(package lhasa\)/);
  });
});

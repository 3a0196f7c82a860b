// Images as qemu-img makes them, converted on their way in; and all that must never reach qemu-img.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { eventually } from "../../../test/servers/eventually.ts";
import type { ReleaseId } from "../../releases/catalogue.ts";
import { openFileStore } from "../../stores/file/file-store.ts";
import { openScratch } from "../../stores/file/scratch.ts";
import type { MemoryStore } from "../../stores/memory/memory-store.ts";
import { alice, Fixture, namedStores, never, read } from "../testing/fixture.ts";
import type { ImportRequest } from "./import-request.ts";
import type { ImportSettings } from "./settings.ts";

const exec = promisify(execFile);
const disk = Buffer.concat([Buffer.alloc(65_536), randomBytes(300_000), Buffer.alloc(2 ** 20 - 300_000)]);
let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "perennial-conversion-"));
  await writeFile(join(folder, "disk.raw"), disk);
});
after(() => rm(folder, { recursive: true, force: true }));

const qemuImg = (...args: string[]) => exec("qemu-img", args, { cwd: folder, timeout: 60_000 });
/** The disk in another format. */
async function made(format: string, options: string): Promise<Buffer> {
  await qemuImg("convert", "-f", "raw", "-O", format, "-o", options, "disk.raw", "made");
  return readFile(join(folder, "made"));
}

const direct: ImportRequest = {
  method: { name: "glance-direct" },
  storeIds: null,
  headerStoreId: null,
  allStores: false,
  allMustSucceed: true,
  body: {},
};

/** A node that stages in a folder of its own. */
async function open(importing: Partial<ImportSettings>, options: { release?: ReleaseId; bytesMax?: number } = {}) {
  const staging = await mkdtemp(join(folder, "staging-"));
  const fixture = new Fixture();
  const stores = namedStores(["fast", "cheap"]);
  const node = {
    release: options.release ?? "2026.1",
    stores,
    staging: await openFileStore({ dataDirectory: staging, filePermissions: null, readBytes: 65_536 }),
    scratch: openScratch(staging),
    importing: { plugins: ["image_conversion"], ...importing },
    settings: { imageBytesMax: options.bytesMax ?? 100_000_000 },
  } as const;
  const services = fixture.node(node);
  const idle = () => eventually("imports are through", () => fixture.transfers.snapshot().length === 0);
  return {
    fixture,
    services,
    stores,
    idle,
    row: (id: string) => fixture.database.live(id) ?? assert.fail("the image is gone"),
    /** Everything in the folder of staged data. */
    left: async () => (await readdir(staging, { recursive: true })).filter((name) => name !== ".perennial-partial"),
    message: () => [...fixture.database.tasks.values()].at(-1)?.message ?? "",
    async stage(diskFormat: string, data: Buffer, containerFormat = "bare"): Promise<string> {
      const { id } = await services.images.create(alice, {
        disk_format: diskFormat,
        container_format: containerFormat,
      });
      await services.imports.stage(alice, id, Readable.from([data]), { signal: never, announcedBytes: data.length });
      return id;
    },
    async import(id: string, request: Partial<ImportRequest> = {}) {
      await services.imports.start(alice, id, { ...direct, ...request });
      await idle();
    },
  };
}

for (const [format, qemu, options] of [
  ["qcow2", "qcow2", "compat=1.1"],
  ["vmdk", "vmdk", "subformat=streamOptimized"],
  ["vhd", "vpc", "subformat=dynamic,force_size=on"],
  ["vhdx", "vhdx", "subformat=dynamic"],
  ["vdi", "vdi", "static=off"],
] as const)
  test(`conversion: ${format} becomes raw, byte for byte, in every store, and nothing stays behind`, async () => {
    const node = await open({});
    const id = await node.stage(format, await made(qemu, options));
    await node.import(id, { storeIds: ["fast", "cheap"] });
    const { status, diskFormat, containerFormat, sizeBytes, virtualSizeBytes } = node.row(id);
    assert.deepEqual([status, diskFormat, containerFormat], ["active", "raw", "bare"], node.message());
    const data = await read(node.services, alice, id);
    assert(data.subarray(0, disk.length).equals(disk), "what was in the disk");
    assert(
      data.subarray(disk.length).every((byte) => byte === 0),
      "whatever the format rounds up to",
    );
    assert.deepEqual([sizeBytes, virtualSizeBytes], [data.length, data.length]);
    assert.deepEqual(
      node.stores.map(({ store }) => (store as MemoryStore).keys),
      [[id], [id]],
    );
    assert.deepEqual(await node.left(), []);
  });

test("conversion: raw becomes what the operator wants, and is the same disk", async () => {
  for (const convertsTo of ["qcow2", "vmdk"] as const) {
    const node = await open({ convertsTo });
    const id = await node.stage("raw", disk);
    await node.import(id);
    assert.deepEqual([node.row(id).status, node.row(id).diskFormat], ["active", convertsTo], node.message());
    assert.equal(node.row(id).virtualSizeBytes, disk.length);
    await writeFile(join(folder, "back"), await read(node.services, alice, id));
    await qemuImg("convert", "-f", convertsTo, "-O", "raw", "back", "back.raw");
    assert((await readFile(join(folder, "back.raw"))).equals(disk));
  }
});

test("conversion: what has the format already, ISO images, kernels and other containers stay as they are", async () => {
  const iso = Buffer.alloc(40_960);
  iso.write("\x01CD001\x01", 32_768, "latin1");
  iso.write("\xffCD001\x01", 34_816, "latin1");
  for (const [format, container, data] of [
    ["raw", "bare", disk],
    ["iso", "bare", iso],
    ["aki", "bare", Buffer.from("a kernel")],
    ["raw", "ovf", Buffer.from("an archive")],
  ] as const) {
    const node = await open({});
    const id = await node.stage(format, data, container);
    await node.import(id);
    const { status, diskFormat, containerFormat } = node.row(id);
    assert.deepEqual([status, diskFormat, containerFormat], ["active", format, container], node.message());
    assert((await read(node.services, alice, id)).equals(data));
    assert.deepEqual(await node.left(), []);
  }
});

test("conversion: what is packed is unpacked first", async () => {
  const packed = gzipSync(await made("qcow2", "compat=1.1"));
  const node = await open({ plugins: ["image_conversion", "image_decompression"] });
  const id = await node.stage("qcow2", packed);
  await node.import(id);
  assert.equal(node.row(id).diskFormat, "raw", node.message());
  assert((await read(node.services, alice, id)).equals(disk));
  const plain = await node.stage("raw", gzipSync(disk));
  await node.import(plain);
  assert((await read(node.services, alice, plain)).equals(disk));
  assert.deepEqual(await node.left(), []);
  const bomb = await open({ plugins: ["image_decompression", "image_conversion"] }, { bytesMax: 1_000_000 });
  const large = await bomb.stage("qcow2", gzipSync(Buffer.alloc(2_000_000)));
  await bomb.import(large);
  assert.deepEqual([bomb.row(large).status, await bomb.left()], ["queued", []]);
  assert.match(bomb.message(), /image_size_cap/);
});

test("conversion: nothing that leads to other files, or is not what its owner says, reaches qemu-img", async () => {
  const secret = join(folder, "secret");
  await writeFile(secret, Buffer.alloc(65_536, "secret"));
  await qemuImg("create", "-f", "qcow2", "-b", secret, "-F", "raw", "backed");
  await qemuImg("create", "-f", "qcow2", "-o", `data_file=${join(folder, "outside")},data_file_raw=on`, "outer", "1M");
  await qemuImg("create", "-f", "qed", "qed", "1M");
  const flat = `# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 128 FLAT "${secret}" 0\n`;
  const qcow2 = await made("qcow2", "compat=1.1");
  for (const [claimed, data, release] of [
    ["qcow2", await readFile(join(folder, "backed"))],
    ["raw", await readFile(join(folder, "backed"))],
    ["qcow2", await readFile(join(folder, "outer"))],
    ["vmdk", Buffer.from(flat.padEnd(1_024, "\n"))],
    ["raw", await readFile(join(folder, "qed"))],
    ["raw", qcow2],
    ["ami", qcow2],
    ["qcow2", disk],
    ["vmdk", qcow2],
    // Releases that look at nothing else that is uploaded.
    ["qcow2", await readFile(join(folder, "backed")), "rocky"],
    ["raw", qcow2, "rocky"],
  ] as const satisfies readonly (readonly [string, Buffer, ReleaseId?])[]) {
    const node = await open({}, release ? { release } : {});
    const id = await node.stage(claimed, data);
    await node.import(id);
    assert.deepEqual([node.row(id).status, node.row(id).diskFormat], ["queued", claimed]);
    assert.match(node.message(), /^The data /);
    assert(!node.message().includes(folder), "an owner does not learn where data lies");
    assert.deepEqual(await node.left(), []);
  }
});

test("conversion: a disk larger than an image may be is refused before it is written", async () => {
  await qemuImg("create", "-f", "qcow2", "vast", "1T");
  const node = await open({});
  const id = await node.stage("qcow2", await readFile(join(folder, "vast")));
  await node.import(id);
  assert.equal(node.row(id).status, "queued");
  assert.match(node.message(), /image_size_cap/);
  assert.deepEqual(await node.left(), []);
});

test("conversion: data that qemu-img gives up leaves a queued image and no file", async () => {
  const broken = await made("qcow2", "compat=1.1");
  broken.fill(0xff, 196_608, 262_144);
  const node = await open({});
  const id = await node.stage("qcow2", broken.subarray(0, 262_144));
  await node.import(id);
  assert.equal(node.row(id).status, "queued");
  assert.match(node.message(), /could not be converted from qcow2 to raw/);
  assert.deepEqual(await node.left(), []);
});

test("conversion: a cut import ends qemu-img, keeps the staged data, and leaves no other file", async () => {
  const bin = await mkdtemp(join(folder, "bin-"));
  const before = process.env.PATH;
  // Stands still as a program that waits for a disk does, and says which process it is.
  await writeFile(
    join(bin, "qemu-img"),
    `#!/bin/sh\necho $$ > ${bin}/pid.new && mv ${bin}/pid.new ${bin}/pid\nexec sleep 1000\n`,
  );
  await chmod(join(bin, "qemu-img"), 0o755);
  const node = await open({});
  const data = await made("qcow2", "compat=1.1");
  const id = await node.stage("qcow2", data);
  process.env.PATH = `${bin}:${before}`;
  try {
    await node.services.imports.start(alice, id, direct);
    await eventually("qemu-img runs", async () => (await readdir(bin)).includes("pid"));
    const pid = Number(await readFile(join(bin, "pid"), "utf8"));
    node.services.imports.cut();
    await node.idle();
    assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  } finally {
    process.env.PATH = before;
  }
  assert.deepEqual([node.row(id).status, await node.left()], ["uploading", [id]]);
});

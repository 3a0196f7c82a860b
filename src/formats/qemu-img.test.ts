// Images as qemu-img makes them, with content: all that stand alone pass, all that do not are refused, and the size is the one qemu-img says.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { found, inspect, virtualBytes } from "./testing/inspect.ts";

const run = promisify(execFile);
const skip = spawnSync("qemu-img", ["--version"]).status === 0 ? false : "this machine has no qemu-img";
let folder = "";
const path = (name: string) => join(folder, name);
const qemuImg = (...args: string[]) => run("qemu-img", args, { cwd: folder, timeout: 900_000 });
const inspected = async (name: string) => inspect(await readFile(path(name)), [65_536]);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "perennial-formats-"));
  // Half full: sparse formats leave parts out, and the disk is larger than any header says by accident.
  await writeFile(
    path("disk.raw"),
    Buffer.concat([Buffer.alloc(65_536), randomBytes(2 ** 20), Buffer.alloc(3 * 2 ** 20)]),
  );
});
after(() => rm(folder, { recursive: true, force: true }));

const sound: readonly (readonly [name: string, format: string, qemu: string, options: string])[] = [
  ["v2", "qcow2", "qcow2", "compat=0.10"],
  ["v3", "qcow2", "qcow2", "compat=1.1"],
  ["zstd", "qcow2", "qcow2", "compat=1.1,compression_type=zstd,extended_l2=on"],
  ["sparse", "vmdk", "vmdk", "subformat=monolithicSparse"],
  ["stream", "vmdk", "vmdk", "subformat=streamOptimized"],
  ["vhdx", "vhdx", "vhdx", "subformat=dynamic"],
  ["vhdx-fixed", "vhdx", "vhdx", "subformat=fixed"],
  ["vdi", "vdi", "vdi", "static=off"],
  ["vdi-static", "vdi", "vdi", "static=on"],
  ["vhd", "vhd", "vpc", "subformat=dynamic,force_size=on"],
  ["vhd-fixed", "vhd", "vpc", "subformat=fixed,force_size=on"],
];

for (const [name, format, qemu, options] of sound)
  test(`qemu-img: ${name} is ${format} without a finding, and as large as qemu-img says`, { skip }, async () => {
    await qemuImg("convert", "-O", qemu, "-o", options, "disk.raw", name);
    const { stdout } = await qemuImg("info", "--output=json", "-f", qemu, name);
    const inspection = await inspected(name);
    assert.deepEqual(found(inspection), [format]);
    assert.equal(virtualBytes(inspection), JSON.parse(stdout)["virtual-size"]);
  });

test("qemu-img: LUKS is known, and as large as the disk inside", { skip }, async () => {
  const secret = ["--object", "secret,id=key,data=for-a-test"];
  // qemu-img times its key derivation by its own CPU time, which a kernel that counts in ticks of 4 ms may say is 0 for SHA-256 with the
  // CPU's own instructions; it gives up then (46 of 300 tries). SHA-512 takes many ticks.
  const luks = ["-f", "luks", "-o", "key-secret=key,iter-time=10,hash-alg=sha512", "luks", "1M"];
  await qemuImg("create", ...secret, ...luks);
  const inspection = await inspected("luks");
  assert.deepEqual([found(inspection), virtualBytes(inspection)], [["luks"], 2 ** 20]);
});

const unsafe: readonly (readonly [name: string, args: readonly string[], finding: string])[] = [
  ["backed", ["-f", "qcow2", "-b", "disk.raw", "-F", "raw", "backed"], "qcow2.backing_file"],
  ["outside", ["-f", "qcow2", "-o", "data_file=outside.data,data_file_raw=on", "outside", "1M"], "qcow2.data_file"],
  ["old", ["-f", "qcow", "old", "1M"], "qcow2.version"],
  ["qed", ["-f", "qed", "qed", "1M"], "qed.banned"],
  ["flat", ["-f", "vmdk", "-o", "subformat=monolithicFlat", "flat", "1M"], "vmdk.descriptor"],
  ["split", ["-f", "vmdk", "-o", "subformat=twoGbMaxExtentSparse", "split", "1M"], "vmdk.descriptor"],
];

for (const [name, args, finding] of unsafe)
  test(`qemu-img: ${name} is found out (${finding})`, { skip }, async () => {
    await qemuImg("create", ...args);
    assert(found(await inspected(name)).includes(finding), found(await inspected(name)).join());
  });

test("qemu-img: a VMDK with a parent is found out", { skip }, async () => {
  await qemuImg("create", "-f", "vmdk", "parent.vmdk", "1M");
  await qemuImg("create", "-f", "vmdk", "-b", "parent.vmdk", "-F", "vmdk", "child.vmdk");
  assert.deepEqual(found(await inspected("child.vmdk")), ["vmdk", "vmdk.backing_file"]);
});

// Every format is recognised, and every header that would lead its reader astray is a finding.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FormatInspection } from "./inspection.ts";
import { lastBytesMax } from "./probe.ts";
import { found, inspect, virtualBytes, vmdkTypes } from "./testing/inspect.ts";
import * as samples from "./testing/samples.ts";

const { be32, be64, data, diskBytes, le16, le32, le64, vhdxGuids } = samples;

test("formats: each is recognised by its content, alone and without a finding", () => {
  for (const [name, make] of Object.entries(samples.soundSamples))
    assert.deepEqual(found(inspect(make())), [name.split(" ")[0]], name);
});

test("formats: what is none of them is raw, down to no byte at all", () => {
  for (const bytes of [data(0), data(1), data(511), data(100_000), Buffer.from("#!/bin/sh\necho version=1\n")])
    assert.deepEqual(found(inspect(bytes)), []);
});

test("formats: the size of the disk inside is the header's, or follows from the size of the data", () => {
  const size = (name: string) => virtualBytes(inspect(samples.soundSamples[name]?.() ?? data(0)));
  for (const name of ["qcow2 v2", "qcow2 v3", "vhd", "vhd fixed", "vhdx", "vmdk", "vmdk stream", "vdi", "iso"])
    assert.equal(size(name), diskBytes, name);
  assert.equal(size("gpt"), 65_536);
  assert.equal(size("luks"), 4_096 - 4 * 512);
});

const cases: readonly (readonly [what: string, bytes: () => Buffer, expected: readonly string[]])[] = [
  ["a qcow2 backing file", () => samples.qcow2(3, { 8: be64(200) }), ["qcow2", "qcow2.backing_file"]],
  ["a qcow2 v2 backing file", () => samples.qcow2(2, { 8: be64(1) }), ["qcow2", "qcow2.backing_file"]],
  ["a qcow2 data file", () => samples.qcow2(3, { 72: be64(4) }), ["qcow2", "qcow2.data_file"]],
  ["an unknown qcow2 feature", () => samples.qcow2(3, { 72: be64(2n ** 63n) }), ["qcow2", "qcow2.unknown_features"]],
  ["known qcow2 features", () => samples.qcow2(3, { 72: be64(0b11011) }), ["qcow2"]],
  ["qcow version 1", () => samples.qcow2(1), ["qcow2", "qcow2.version"]],
  ["qcow version 4", () => samples.qcow2(4), ["qcow2", "qcow2.version"]],
  ["features of v3 in a v2", () => samples.qcow2(2, { 72: be64(4) }), ["qcow2"]],
  ["a qcow2 cut in its header", () => samples.qcow2(3).subarray(0, 90), ["qcow2", "qcow2.header"]],
  ["a qcow2 of four bytes", () => samples.qcow2(3).subarray(0, 4), ["qcow2", "qcow2.version"]],
  ["an impossible size", () => samples.qcow2(3, { 24: be64(2n ** 63n) }), ["qcow2", "qcow2.size"]],
  ["qed", () => samples.qed(), ["qed", "qed.banned"]],
  [
    "a differencing vhd",
    () => samples.vhdDynamic(samples.vhdFooter(4), samples.vhdFooter(4)),
    ["vhd", "vhd.backing_file"],
  ],
  [
    "a vhd whose end says differencing",
    () => samples.vhdDynamic(undefined, samples.vhdFooter(4)),
    ["vhd", "vhd.footer"],
  ],
  [
    "a vhd of another size at its end",
    () => samples.vhdDynamic(undefined, samples.vhdFooter(3, { 48: be64(1) })),
    ["vhd", "vhd.footer"],
  ],
  ["a differencing footer alone", () => samples.vhdFixed(data(999), samples.vhdFooter(4)), ["vhd", "vhd.backing_file"]],
  ["a dynamic footer alone", () => samples.vhdFixed(data(999), samples.vhdFooter(3)), ["vhd", "vhd.footer"]],
  ["a vhd of unknown type", () => samples.vhdFixed(data(999), samples.vhdFooter(9)), ["vhd", "vhd.type"]],
  ["a footer of 511 bytes", () => samples.vhdFixed(data(999)).subarray(0, -1), ["vhd"]],
  ["a vdi with a parent", () => samples.vdi({ 424: "parent" }), ["vdi", "vdi.backing_file"]],
  ["a differencing vdi", () => samples.vdi({ 76: le32(4) }), ["vdi", "vdi.backing_file"]],
  ["a vdi of unknown type", () => samples.vdi({ 76: le32(3) }), ["vdi", "vdi.type"]],
  ["a vdi of another version", () => samples.vdi({ 68: le32(0x20000) }), ["vdi", "vdi.version"]],
  ["a vdi cut in its header", () => samples.vdi().subarray(0, 100), ["vdi", "vdi.header"]],
  ["luks 2", () => samples.luks({ 6: "\0\x02" }), ["luks", "luks.version"]],
  ["luks beyond its end", () => samples.luks({ 104: be32(9) }), ["luks", "luks.header"]],
  ["luks over its own header", () => samples.luks({ 104: be32(0) }), ["luks", "luks.header"]],
  ["luks cut", () => samples.luks().subarray(0, 500), ["luks", "luks.header"]],
  [
    "an iso with another descriptor first",
    () => samples.iso({ 32768: "\x00CD001\x01", 34816: "\x01CD001\x01" }),
    ["iso"],
  ],
  ["udf", () => samples.iso({ 32769: "BEA01" }), ["iso"]],
  ["an iso cut in its descriptor", () => samples.iso().subarray(0, 32_900), ["iso", "iso.header"]],
];

const partitioned: typeof cases = [
  [
    "a disk with partitions of old",
    () => data(4_096, { 0: samples.mbr({ indicator: 0x80, type: 0x83, firstSector: 2_048 }) }),
    ["gpt"],
  ],
  ["a boot sector of a filesystem", () => data(4_096, { 510: "\x55\xaa" }), []],
  ["boot code where partitions would be", () => data(4_096, { 446: "boot code is no table", 510: "\x55\xaa" }), []],
  ["sectors of 4 KiB", () => samples.gpt(undefined, 4_096), ["gpt"]],
  ["a hybrid", () => samples.gpt(samples.mbr({ type: 0xee }, { indicator: 0x80, type: 7, firstSector: 99 })), ["gpt"]],
  ["no mbr", () => samples.gpt(data(512)), ["gpt", "gpt.mbr"]],
  ["an mbr that protects nothing", () => samples.gpt(samples.mbr({ type: 0x83, firstSector: 9 })), ["gpt", "gpt.mbr"]],
  [
    "an mbr that protects something else",
    () => samples.gpt(samples.mbr({ type: 0xee, firstSector: 2 })),
    ["gpt", "gpt.mbr"],
  ],
  ["a wrong indicator", () => samples.gpt(samples.mbr({ type: 0xee, indicator: 1 })), ["gpt", "gpt.mbr"]],
  [
    "a wrong indicator, without a gpt",
    () => data(512, { 0: samples.mbr({ type: 0xee, indicator: 1 }) }),
    ["gpt", "gpt.mbr"],
  ],
];

const [type, extents, backing, broken] = ["vmdk.type", "vmdk.extents", "vmdk.backing_file", "vmdk.descriptor"];
const vmdkOf = (...given: Parameters<typeof samples.descriptor>) => samples.vmdk(samples.descriptor(...given));
const vmdks: typeof cases = [
  ["a flat type", () => vmdkOf({ type: "monolithicFlat" }), ["vmdk", type]],
  ["a type in another case", () => vmdkOf({ type: "monolithicsparse" }), ["vmdk", type]],
  ["a second type in a comment", () => vmdkOf({ more: '# createType="monolithicFlat"' }), ["vmdk", type]],
  ["no type", () => samples.vmdk('RW 1 SPARSE "a"\n'), ["vmdk", type]],
  ["a parent", () => vmdkOf({ more: "parentCID=00000001" }), ["vmdk", backing]],
  ["the name of a parent", () => vmdkOf({ more: 'parentFileNameHint="/etc/passwd"' }), ["vmdk", backing]],
  ["a flat extent", () => vmdkOf({ extents: 'RW 1 FLAT "/etc/passwd" 0' }), ["vmdk", extents]],
  ["an extent elsewhere", () => vmdkOf({ extents: 'RW 1 SPARSE "/etc/passwd"' }), ["vmdk", extents]],
  ["an extent by a protocol", () => vmdkOf({ extents: 'RW 1 SPARSE "nbd:unix"' }), ["vmdk", extents]],
  ["two extents", () => vmdkOf({ extents: 'RW 1 SPARSE "a"\nRW 1 SPARSE "b"' }), ["vmdk", extents]],
  ["no extent", () => vmdkOf({ extents: "" }), ["vmdk", extents]],
  ["no capacity", () => samples.vmdk(undefined, { 12: le64(0) }), ["vmdk", broken]],
  ["no descriptor", () => samples.vmdk(undefined, { 28: le64(0) }), ["vmdk", broken]],
  ["an endless descriptor", () => samples.vmdk(undefined, { 36: le64(2n ** 63n) }), ["vmdk", broken]],
  ["a descriptor nowhere", () => samples.vmdk(undefined, { 28: le64(2n ** 64n - 1n) }), ["vmdk", broken]],
  ["a descriptor past the end", () => samples.vmdk(undefined, { 28: le64(2n ** 40n) }), ["vmdk", broken]],
  ["version 9", () => samples.vmdk(undefined, { 4: le32(9) }), ["vmdk", "vmdk.version"]],
  ["a cut header", () => samples.vmdk().subarray(0, 100), ["vmdk", "vmdk.header"]],
  ["a descriptor alone", () => Buffer.from(samples.descriptor()), ["vmdk", broken]],
  [
    "text that readers take for a descriptor",
    () => Buffer.from('# hello\n  \nversion=1\nRW 1 FLAT "/etc/passwd"\n'),
    ["vmdk", broken],
  ],
  ["an old extent", () => data(4_096, { 0: "COWD" }), ["vmdk", type]],
  ["a stream without its footer", () => samples.vmdkStream().subarray(0, -512), ["vmdk", "vmdk.footer"]],
  ["another descriptor in the footer", () => samples.vmdkStream({ 28: le64(50) }), ["vmdk", "vmdk.footer"]],
  ["no capacity in the footer", () => samples.vmdkStream({ 12: le64(0) }), ["vmdk", "vmdk.footer"]],
];

const log = { 48: "a log of sixteen" };
const { vhdx, vhdxHeader, vhdxRegions, vhdxRegionEntries: regions, vhdxItems: items } = samples;
const spoilt = (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([1])]);
const elsewhere = regions.map((entry) => ({ ...entry, at: entry.at + 2 ** 20 }));
const foreign = { id: vhdxGuids.foreign, at: 2 ** 23, bytes: 2 ** 20 };
const twice = (table: Buffer) => [table, table] as const;
const vhdxs: typeof cases = [
  ["a log to replay", () => vhdx({ headers: [vhdxHeader(1), vhdxHeader(2, log)] }), ["vhdx", "vhdx.log"]],
  ["a log of the past", () => vhdx({ headers: [vhdxHeader(1, log), vhdxHeader(2)] }), ["vhdx"]],
  [
    "a log behind a broken header",
    () => vhdx({ headers: [vhdxHeader(1, log), spoilt(vhdxHeader(2))] }),
    ["vhdx", "vhdx.log"],
  ],
  ["no valid header", () => vhdx({ headers: [spoilt(vhdxHeader(1)), spoilt(vhdxHeader(2))] }), ["vhdx", "vhdx.header"]],
  [
    "one broken region table",
    () => vhdx({ regions: [spoilt(vhdxRegions(elsewhere)), vhdxRegions(regions)] }),
    ["vhdx"],
  ],
  [
    "two region tables",
    () => vhdx({ regions: [vhdxRegions(elsewhere), vhdxRegions(regions)] }),
    ["vhdx", "vhdx.regions"],
  ],
  ["no region table", () => vhdx({ regions: twice(data(65_536)) }), ["vhdx", "vhdx.regions"]],
  [
    "too many regions",
    () => vhdx({ regions: twice(vhdxRegions(regions, { 8: le32(2 ** 32 - 1) })) }),
    ["vhdx", "vhdx.regions"],
  ],
  ["a foreign region", () => vhdx({ regions: twice(vhdxRegions([...regions, { ...foreign, flags: 0 }])) }), ["vhdx"]],
  ["no metadata region", () => vhdx({ regions: twice(vhdxRegions(regions.slice(0, 1))) }), ["vhdx", "vhdx.metadata"]],
  [
    "metadata in the header",
    () => vhdx({ regions: twice(vhdxRegions(regions.map((entry) => ({ ...entry, at: 65_536 })))) }),
    ["vhdx", "vhdx.metadata"],
  ],
  [
    "metadata past the end",
    () => vhdx({ regions: twice(vhdxRegions(regions.map((entry) => ({ ...entry, at: 2 ** 50 })))) }),
    ["vhdx", "vhdx.metadata"],
  ],
  ["metadata that is none", () => vhdx({ metadata: "nonsense" }), ["vhdx", "vhdx.metadata"]],
  ["a parent", () => vhdx({ parameters: 2 }), ["vhdx", "vhdx.backing_file"]],
  [
    "a locator of a parent",
    () => vhdx({ items: [...items, { id: vhdxGuids.parentLocator, at: 70_000, bytes: 8 }] }),
    ["vhdx", "vhdx.backing_file"],
  ],
  [
    "needed metadata nobody knows",
    () => vhdx({ items: [...items, { id: vhdxGuids.foreign, at: 70_000, bytes: 8, flags: 4 }] }),
    ["vhdx", "vhdx.unknown_features"],
  ],
  ["metadata twice", () => vhdx({ items: [...items, ...items] }), ["vhdx", "vhdx.metadata"]],
  [
    "metadata over each other",
    () => vhdx({ items: items.map((item) => ({ ...item, at: 65_536 })) }),
    ["vhdx", "vhdx.metadata"],
  ],
  [
    "items past their region",
    () => vhdx({ items: items.map((item) => ({ ...item, at: item.at + 2 ** 31 })) }),
    ["vhdx", "vhdx.metadata"],
  ],
  ["a cut file", () => vhdx().subarray(0, 1_000), ["vhdx", "vhdx.header", "vhdx.regions"]],
];

test("vhdx: required regions nobody knows, and a second metadata region, are findings", () => {
  for (const extra of [foreign, { ...foreign, id: vhdxGuids.metadata }])
    assert(
      found(inspect(vhdx({ regions: twice(vhdxRegions([...regions, extra])) }))).includes("vhdx.unknown_features"),
    );
});

for (const [name, table] of Object.entries({ formats: cases, partitions: partitioned, vmdk: vmdks, vhdx: vhdxs }))
  test(`${name}: each header that leads astray is a finding of its own, and its sound neighbours are not`, () => {
    for (const [what, bytes, expected] of table) assert.deepEqual(found(inspect(bytes())), expected, what);
  });

test("inspection: once the headers have gone by only the last bytes of what is added are read", () => {
  const chunk = Buffer.alloc(65_536, 7);
  const inspection = new FormatInspection({ vmdkTypes });
  for (let n = 0; n < 2; n++) inspection.add(chunk);
  assert(inspection.headersSeen);
  const touched = new Set<string | symbol>();
  let copiedBytes = 0;
  const watched = new Proxy(chunk, {
    get: (target, key) => {
      touched.add(key);
      if (key === "length") return target.length;
      return (...to: Parameters<Buffer["copy"]>) => {
        copiedBytes += target.copy(...to);
      };
    },
  });
  for (let n = 0; n < 100; n++) inspection.add(watched);
  assert.deepEqual(touched, new Set(["length", "copy"]));
  assert.equal(copiedBytes, 100 * lastBytesMax);
  assert.equal(inspection.fileBytes, 65_536 * 102);
});

test("vhdx: a table of its largest size with nothing in it is not more than a finding", () => {
  const table = vhdx({ items: [] });
  table.writeUInt16LE(2_047, samples.vhdxMetadataAt + 10);
  assert.deepEqual(found(inspect(table)), ["vhdx", "vhdx.metadata"]);
  le16(2_048).copy(table, samples.vhdxMetadataAt + 10);
  assert.deepEqual(found(inspect(table)), ["vhdx", "vhdx.metadata"]);
});

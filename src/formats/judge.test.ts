// What may be uploaded as what.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type JudgeOptions, refusalOf, virtualBytesOf, warningsOf } from "./judge.ts";
import { inspect } from "./testing/inspect.ts";
import * as samples from "./testing/samples.ts";

const strict: JudgeOptions = { gptChecksNonfatal: [] };
const lenient = { gptChecksNonfatal: ["mbr"] };
const judged = (bytes: Buffer, claimed: string, options = strict) =>
  refusalOf(inspect(bytes), claimed, options, true)?.check ?? null;

const plain = samples.data(70_000);
const byName = Object.entries(samples.soundSamples).map(([name, make]) => [name.split(" ")[0] ?? "", make()] as const);
const backed = samples.qcow2(3, { 8: samples.be64(512) });
const badGpt = samples.gpt(samples.data(512));

test("judge: what is recognised by content has to be what it is claimed to be", () => {
  const claims = ["qcow2", "vhd", "vhdx", "vmdk", "vdi", "iso"];
  for (const claimed of claims) {
    assert.equal(judged(plain, claimed), "mismatch", claimed);
    for (const [format, bytes] of byName)
      assert.equal(judged(bytes, claimed), format === claimed ? null : "mismatch", `${format} as ${claimed}`);
  }
});

test("judge: raw, and what is not recognised by content, may be anything that is safe", () => {
  for (const claimed of ["raw", "ami", "ari", "aki", "ploop", "an-operators-own"]) {
    for (const [format, bytes] of [...byName, ["raw", plain] as const])
      assert.equal(judged(bytes, claimed), null, format);
    assert.equal(judged(backed, claimed), "qcow2.backing_file");
    assert.equal(judged(samples.qed(), claimed), "qed.banned");
    assert.equal(judged(badGpt, claimed), "gpt.mbr");
  }
});

test("judge: several formats at once are refused, except ISO with partitions and a fixed VHD of a partitioned disk", () => {
  const table = samples.mbr({ type: 0xee });
  const both = Buffer.from(samples.iso());
  samples.qcow2(3).copy(both, 0, 0, 104);
  for (const claimed of ["qcow2", "iso", "raw", "ploop"]) assert.equal(judged(both, claimed), "several", claimed);
  for (const claimed of ["raw", "vhd", "qcow2"])
    assert.equal(judged(samples.vhdFixed(samples.qcow2(3)), claimed), "several", claimed);
  const isoWithGpt = samples.iso({ 0: table, 512: "EFI PART" });
  for (const claimed of ["iso", "raw"]) assert.equal(judged(isoWithGpt, claimed), null, claimed);
  assert.equal(judged(isoWithGpt, "qcow2"), "mismatch");
  assert.equal(judged(samples.iso({ 512: "EFI PART" }), "iso"), null, "counts as ISO, whatever its MBR says");
  for (const claimed of ["vhd", "raw"]) assert.equal(judged(samples.vhdFixed(samples.gpt()), claimed), null, claimed);
  assert.equal(judged(samples.vhdFixed(badGpt), "vhd"), "gpt.mbr");
  const dynamic = samples.vhdDynamic(samples.vhdFooter(3, { 446: table.subarray(446) }));
  assert.equal(judged(dynamic, "vhd"), "several");
});

test("judge: the operator may turn the check of the MBR into a warning", () => {
  assert.equal(judged(badGpt, "raw", lenient), null);
  assert.deepEqual(
    warningsOf(inspect(badGpt), lenient).map(({ check }) => check),
    ["gpt.mbr"],
  );
  assert.deepEqual(warningsOf(inspect(badGpt), strict), []);
  assert.equal(judged(backed, "raw", lenient), "qcow2.backing_file");
});

test("judge: before the end nothing is refused that the end could still put right", () => {
  const early = (bytes: Buffer, claimed: string) => refusalOf(inspect(bytes), claimed, strict, false)?.check ?? null;
  assert.equal(early(plain, "vhd"), null);
  assert.equal(early(samples.gpt(), "vhd"), null);
  assert.equal(early(samples.qcow2(3), "vhd"), "mismatch");
  assert.equal(early(plain, "qcow2"), "mismatch");
});

test("judge: the disk is as large as the claimed format says; raw is as large as the data", () => {
  const size = (bytes: Buffer, claimed: string) => virtualBytesOf(inspect(bytes), claimed);
  assert.equal(size(samples.qcow2(3), "qcow2"), samples.diskBytes);
  assert.equal(size(samples.qcow2(3), "raw"), 65_536);
  assert.equal(size(plain, "raw"), 70_000);
  assert.equal(size(plain, "qcow2"), null);
  assert.equal(size(plain, "ploop"), null);
  assert.equal(size(samples.data(0), "raw"), null);
});

// What an upload makes of the formats it sees, at each release and as the operator sets it.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { be64, data, diskBytes, gpt, iso, qcow2, vdi, vhdFixed, vmdkStream } from "../formats/testing/samples.ts";
import { type ReleaseId, releases } from "../releases/catalogue.ts";
import type { ImageSettings } from "./settings.ts";
import { alice, Fixture, never, read, send, settled, withCode } from "./testing/fixture.ts";

const latest = "2026.1";
const orderOf = (id: ReleaseId) => releases.findIndex((release) => release.id === id);
const unfit = withCode("images.unfit_data");
const bare = (format: string) => ({ disk_format: format, container_format: "bare" });

function nodeAt(release: ReleaseId, settings: Partial<ImageSettings> = {}) {
  const fixture = new Fixture();
  const node = fixture.node({ release, settings });
  /** The image as it is after the upload. */
  const upload = async (format: string, bytes: Buffer, container = "bare") => {
    const { id } = await node.images.create(alice, { disk_format: format, container_format: container });
    await send(node, alice, id, bytes);
    return node.images.show(alice, id);
  };
  return { fixture, node, upload };
}

const backed = qcow2(3, { 8: be64(512) });

test("inspection: since Victoria the size of the disk inside is recorded; before, none is", async () => {
  for (const { id: release, order } of releases) {
    const { upload } = nodeAt(release);
    const known = order >= orderOf("victoria");
    assert.equal((await upload("qcow2", qcow2(3))).virtualSizeBytes, known ? diskBytes : null, release);
    assert.equal((await upload("raw", data(1_234))).virtualSizeBytes, known ? 1_234 : null, release);
    assert.equal((await upload("vhd", vhdFixed(data(999)))).virtualSizeBytes, known ? diskBytes : null, release);
    assert.equal((await upload("qcow2", qcow2(3), "ovf")).virtualSizeBytes, null, "only bare is looked into");
  }
});

test("inspection: since 2025.1 other data than claimed, and unsafe data, is refused; before, and in containers, all is taken", async () => {
  for (const { id: release, order } of releases)
    for (const [format, bytes] of [
      ["qcow2", data(70_000)],
      ["vmdk", qcow2(3)],
      ["qcow2", backed],
      ["raw", backed],
    ] as const) {
      const { upload } = nodeAt(release);
      assert.equal((await upload(format, bytes, "ovf")).status, "active");
      const uploading = upload(format, bytes);
      if (order >= orderOf("2025.1")) await assert.rejects(uploading, unfit, `${release}, ${format}`);
      else {
        const { status, virtualSizeBytes } = await uploading;
        assert.equal(status, "active");
        if (format === "vmdk") assert.equal(virtualSizeBytes, null);
      }
    }
});

test("inspection: a refused upload leaves a queued image without data, and other data may follow", async () => {
  const { fixture, node } = nodeAt(latest);
  const { id } = await node.images.create(alice, bare("qcow2"));
  for (const bytes of [data(70_000), backed, data(3)]) {
    await assert.rejects(send(node, alice, id, bytes), unfit);
    const { status, sizeBytes, virtualSizeBytes, checksum } = await node.images.show(alice, id);
    assert.deepEqual([status, sizeBytes, virtualSizeBytes, checksum], ["queued", null, null, null]);
    assert.deepEqual([fixture.store.keys, fixture.database.leases.size], [[], 0]);
  }
  await send(node, alice, id, qcow2(3));
  assert((await read(node, alice, id)).equals(qcow2(3)));
});

test("inspection: an upload that cannot succeed ends when its headers were seen, not with its last byte", async () => {
  const { node } = nodeAt(latest);
  const { id } = await node.images.create(alice, bare("qcow2"));
  const source = new Readable({ read() {} });
  const refused = assert.rejects(
    node.data.upload(alice, id, source, { signal: never, announcedBytes: 10_000_000 }),
    unfit,
  );
  source.push(data(70_000));
  await refused;
  assert(!source.destroyed, "the API still has to answer on this connection");
});

test("inspection: what only the end of the data shows is refused at the end", async () => {
  const { node, upload, fixture } = nodeAt(latest);
  const { id } = await node.images.create(alice, bare("vmdk"));
  const source = new Readable({ read() {} });
  const refused = assert.rejects(node.data.upload(alice, id, source, { signal: never, announcedBytes: null }), unfit);
  source.push(vmdkStream({ 28: be64(9) }));
  await settled();
  assert.equal(fixture.database.live(id)?.status, "saving");
  source.push(null);
  await refused;
  assert.equal(fixture.database.live(id)?.status, "queued");
  await assert.rejects(upload("qcow2", vhdFixed(qcow2(3))), unfit);
  assert.equal((await upload("vmdk", vmdkStream())).virtualSizeBytes, diskBytes);
});

test("inspection: an image without a byte is active whatever its format, and its size is unknown", async () => {
  for (const format of ["raw", "qcow2", "vmdk"]) {
    const { status, sizeBytes, virtualSizeBytes } = await nodeAt(latest).upload(format, data(0));
    assert.deepEqual([status, sizeBytes, virtualSizeBytes], ["active", 0, null]);
  }
});

test("inspection: the operator may let everything pass, a type of VMDK not, and a wrong MBR", async () => {
  const lenient = nodeAt(latest, { contentInspection: "records" });
  for (const [format, bytes] of [
    ["qcow2", data(70_000)],
    ["qcow2", backed],
    ["raw", gpt(data(512))],
  ] as const)
    assert.equal((await lenient.upload(format, bytes)).status, "active");
  await assert.rejects(nodeAt(latest, { vmdkTypesAllowed: ["monolithicSparse"] }).upload("vmdk", vmdkStream()), unfit);
  await assert.rejects(nodeAt(latest).upload("raw", gpt(data(512))), unfit);
  const { status } = await nodeAt(latest, { gptChecksNonfatal: ["mbr"] }).upload("raw", gpt(data(512)));
  assert.equal(status, "active");
});

test("inspection: every format is taken at the newest release under its own name and as raw", async () => {
  const { upload } = nodeAt(latest);
  for (const [format, bytes] of [
    ["vdi", vdi()],
    ["iso", iso()],
    ["qcow2", qcow2(2)],
    ["vmdk", vmdkStream()],
  ] as const)
    for (const claimed of [format, "raw", "ploop"]) assert.equal((await upload(claimed, bytes)).status, "active");
});

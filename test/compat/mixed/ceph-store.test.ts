// A real Glance node and one of ours on one pool of a real Ceph: what either writes the other reads and deletes, clones of it or not.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { StopStack } from "../../../src/core/lifecycle.ts";
import { startCeph } from "../../servers/ceph.ts";
import { ann, startSmallFleet, uploaded } from "./small-fleet.ts";

const stops = new StopStack();
after(() => stops.stop());

test("mixed fleet: what Glance and we keep in Ceph is the same, and each reads and deletes what the other wrote", async () => {
  const ceph = await startCeph();
  stops.defer(() => ceph.stop());
  await ceph.makePool("images");
  const section = { rbd_store_ceph_conf: ceph.conf, rbd_store_user: ceph.user, rbd_store_pool: "images" };
  const stores = { backends: "fast:file,ceph:rbd", sections: { ceph: section } };
  const { theirs, ours } = await startSmallFleet(stops, () => ({
    defaultBackend: "ceph",
    theirs: stores,
    ours: () => ({ ...stores, sections: { ...stores.sections, perennial: { release: "zed" } } }),
  }));
  const at = (url: string, id: string, path = "", init: RequestInit = {}) =>
    fetch(`${url}/v2/images/${id}${path}`, { ...init, headers: { ...ann, ...init.headers } });
  const data = randomBytes(17_000_000);
  const kept: string[] = [];
  for (const [writer, other] of [
    [theirs.url, ours],
    [ours, theirs.url],
  ] as const) {
    const id = await uploaded(writer, data, "ceph");
    kept.push(JSON.stringify(keptAs(JSON.parse(await ceph.rbd("info", "--format", "json", `images/${id}@snap`)))));
    const shown = (await (await at(other, id)).json()) as { status: string; stores: string; size: number };
    assert.deepEqual([shown.status, shown.stores, shown.size], ["active", "ceph", data.length]);
    const whole = await at(other, id, "/file");
    assert(data.equals(Buffer.from(await whole.arrayBuffer())), `written by ${writer}`);
    // Glance reads no ranges of RBD.
    const part = await at(ours, id, "/file", { headers: { range: "bytes=9000000-9000099" } });
    assert.equal(part.status, 206);
    assert(data.subarray(9_000_000, 9_000_100).equals(Buffer.from(await part.arrayBuffer())));
    await ceph.rbd("clone", `images/${id}@snap`, "images/clone");
    for (const url of [writer, other]) assert.equal((await at(url, id, "", { method: "DELETE" })).status, 409);
    await ceph.rbd("rm", "images/clone");
    assert.equal((await at(other, id, "", { method: "DELETE" })).status, 204);
    assert.equal((await at(writer, id)).status, 404);
    assert.equal(await ceph.rbd("ls", "images"), "");
  }
  assert.equal(kept[0], kept[1]);
});

/** Of what `rbd info` says, what does not differ from image to image. */
function keptAs(info: Readonly<Record<string, unknown>>): readonly unknown[] {
  return ["size", "objects", "order", "format", "features", "flags", "protected"].map((name) => info[name]);
}

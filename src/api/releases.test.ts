// What a client sees of a node of each release: attributes of a release are there from it on, and before it nothing hints at them.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { releases } from "../releases/catalogue.ts";
import { startApi } from "./testing/api-server.ts";

type Shown = Readonly<Record<string, unknown>> & { readonly id: string };

for (const { id: release, capabilities } of releases)
  test(`as ${release}: hidden images and the second hash are ${capabilities.hiding ? "there" : "unheard of"}`, async () => {
    await using api = await startApi({ release });
    const ask = async (path: string, init: RequestInit = {}) => {
      const response = await fetch(`${api.url}/v2/images${path}`, init);
      const text = await response.text();
      return { status: response.status, body: response.ok && text !== "" ? JSON.parse(text) : null };
    };
    const post = (image: object) => ask("", { method: "POST", body: JSON.stringify(image) });
    const send = (path: string, method: string, type: string, body: string) =>
      ask(path, { method, headers: { "content-type": type }, body });
    const patch = (image: Shown, ...operations: object[]) =>
      send(`/${image.id}`, "PATCH", "application/openstack-images-v2.1-json-patch", JSON.stringify(operations));
    const listed = async (query: string) => (await ask(query)).body.images.map((image: Shown) => image.id).sort();

    const shown: Shown = (await post({ disk_format: "raw", container_format: "bare" })).body;
    assert.equal((await send(`/${shown.id}/file`, "PUT", "application/octet-stream", "data")).status, 204);
    const after: Shown = (await ask(`/${shown.id}`)).body;
    assert.equal(after.checksum, createHash("md5").update("data").digest("hex"));

    if (!capabilities.hiding) {
      for (const name of ["os_hidden", "os_hash_algo", "os_hash_value", "stores"]) assert(!(name in after), name);
      assert.equal((await post({ os_hidden: true })).status, 400);
      const other: Shown = (await post({ os_hidden: "True" })).body;
      assert.equal(other.os_hidden, "True");
      assert.deepEqual(await listed(""), [shown.id, other.id].sort());
      assert.equal((await patch(other, { op: "remove", path: "/os_hidden" })).status, 200);
      return;
    }
    assert.deepEqual([after.os_hidden, after.os_hash_algo, after.os_hash_value], [false, "sha512", sha512("data")]);
    const hidden: Shown = (await post({ os_hidden: true, os_hash_value: null })).body;
    assert.deepEqual([hidden.os_hidden, hidden.os_hash_algo, hidden.os_hash_value], [true, null, null]);
    assert(!("stores" in hidden), "there is one store");
    assert.deepEqual(await listed(""), [shown.id]);
    assert.deepEqual(await listed("?os_hidden=True"), [hidden.id]);
    assert.equal((await ask("?os_hidden=maybe")).status, 400);
    assert.equal((await patch(hidden, { op: "remove", path: "/os_hidden" })).status, 403);
    assert.equal((await patch(hidden, { op: "replace", path: "/os_hash_value", value: "0" })).status, 403);
    const again = await patch(hidden, { op: "replace", path: "/os_hidden", value: false });
    assert.deepEqual([again.status, again.body.os_hidden], [200, false]);
    assert.equal((await listed("")).length, 2);
  });

function sha512(data: string): string {
  return createHash("sha512").update(data).digest("hex");
}

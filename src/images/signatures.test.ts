// Data that its owner signed is never taken as if it had been verified.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { admin, alice, Fixture, formats, namedStores, never, patch, read, send, withCode } from "./testing/fixture.ts";

const signed = {
  img_signature: "c2lnbmF0dXJl",
  img_signature_hash_method: "SHA-256",
  img_signature_key_type: "RSA-PSS",
  img_signature_certificate_uuid: "11111111-1111-4111-8111-111111111111",
};
const data = Buffer.from("some data");
const direct = {
  method: { name: "glance-direct" },
  storeIds: null,
  headerStoreId: null,
  allStores: false,
  allMustSucceed: true,
  body: {},
} as const;

for (const release of ["newton", "2026.1"] as const)
  test(`signatures: data of a signed image is refused, whatever way it comes, and the image stays (${release})`, async () => {
    const fixture = new Fixture();
    const services = fixture.node({ release, settings: { propertiesMax: 10 } });
    const { id } = await services.images.create(alice, { ...formats, ...signed });
    await assert.rejects(send(services, alice, id, data), withCode("images.invalid"));
    assert.deepEqual([fixture.database.live(id)?.status, fixture.store.keys], ["queued", []]);
    if (release === "newton") return;
    await services.imports.stage(alice, id, Readable.from([data]), { signal: never, announcedBytes: null });
    await assert.rejects(services.imports.start(alice, id, direct), withCode("images.invalid"));
    assert.equal(fixture.database.live(id)?.status, "uploading");
    const task = { uri: "http://127.0.0.1/", format: null, attributes: { ...formats, ...signed }, input: {} };
    await assert.rejects(services.imports.startTask(admin, task), withCode("images.invalid"));
    assert.equal(fixture.database.images.size, 1);
  });

test("signatures: an incomplete set asks for nothing, and copies of what is there are made", async () => {
  const fixture = new Fixture();
  const stores = namedStores(["one", "two"]);
  const services = fixture.node({ release: "2026.1", stores, settings: { propertiesMax: 10 } });
  const { img_signature_certificate_uuid: uuid, ...incomplete } = signed;
  const { id } = await services.images.create(alice, { ...formats, ...incomplete });
  await send(services, alice, id, data);
  await services.images.update(alice, id, patch({ op: "add", path: ["img_signature_certificate_uuid"], value: uuid }));
  const copy = { ...direct, method: { name: "copy-image" }, storeIds: ["two"] } as const;
  await services.imports.start(admin, id, copy);
  assert.deepEqual(await read(services, alice, id), data);
});

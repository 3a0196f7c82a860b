// Keys of encrypted volumes go with the images that say so, and never before.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceError } from "../core/errors.ts";
import type { ReleaseId } from "../releases/catalogue.ts";
import { alice, Fixture, formats, keepingStore, send, withCode } from "./testing/fixture.ts";

const secretId = "11111111-1111-4111-8111-111111111111";
const going = { cinder_encryption_key_id: secretId, cinder_encryption_key_deletion_policy: "on_image_deletion" };

function start(release: ReleaseId = "2026.1", removeSecret: () => Promise<"removed"> = async () => "removed") {
  const fixture = new Fixture();
  const asked: object[] = [];
  const keys = {
    async removeSecret(question: object) {
      asked.push(question);
      return removeSecret();
    },
    readCertificate: async () => "unknown" as const,
  };
  return { fixture, asked, node: (options = {}) => fixture.node({ release, keys, ...options }) };
}

test("volume keys: a deleted image takes its key along where it says so, by the caller's token", async () => {
  const { asked, node } = start();
  const { images } = node();
  for (const properties of [
    {},
    { ...going, cinder_encryption_key_deletion_policy: "do_not_delete" },
    { cinder_encryption_key_id: secretId },
    { cinder_encryption_key_deletion_policy: "on_image_deletion" },
  ])
    await images.remove(alice, (await images.create(alice, properties)).id, { token: "alice's" });
  assert.deepEqual(asked, []);
  await images.remove(alice, (await images.create(alice, going)).id, { token: "alice's" });
  assert.deepEqual(asked, [{ token: "alice's", secretId }]);
});

test("volume keys: before Train they are ordinary properties", async () => {
  const { asked, node } = start("stein");
  const { images } = node();
  await images.remove(alice, (await images.create(alice, going)).id, { token: "alice's" });
  assert.deepEqual(asked, []);
});

test("volume keys: an image that stays keeps its key", async () => {
  const { fixture, asked, node } = start();
  const inUse = () => new ServiceError("stores.in_use", "The data is in use.");
  const services = node({ store: keepingStore(fixture.store, inUse) });
  const { id } = await services.images.create(alice, { ...formats, ...going });
  await send(services, alice, id, Buffer.from("data"));
  await assert.rejects(services.images.remove(alice, id, { token: "alice's" }), withCode("stores.in_use"));
  assert.deepEqual(asked, []);
});

test("volume keys: a key manager that fails, or is none, keeps no image from being deleted", async () => {
  const { asked, fixture, node } = start("2026.1", async () => {
    throw new ServiceError("identity.unavailable", "Barbican does not answer.");
  });
  const { images } = node();
  const failing = await images.create(alice, going);
  await images.remove(alice, failing.id, { token: "alice's" });
  assert.equal(asked.length, 1);
  const without = fixture.node({ release: "2026.1" });
  const other = await without.images.create(alice, going);
  await without.images.remove(alice, other.id);
  assert.deepEqual([fixture.database.live(failing.id), fixture.database.live(other.id)], [undefined, undefined]);
});

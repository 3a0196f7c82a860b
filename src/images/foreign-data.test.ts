// Images whose data is in a store of a kind that only the reference has.
import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { admin, alice, Fixture, formats, never, send, withCode } from "./testing/fixture.ts";

const rbd = { url: "rbd://fsid/images/one/snap", metadata: {}, status: "active" };

async function imageIn(locations: readonly (typeof rbd)[]) {
  const fixture = new Fixture();
  const services = fixture.node();
  const { id } = await services.images.create(alice, formats);
  await send(services, alice, id, Buffer.from("data"));
  const row = fixture.database.live(id);
  assert(row);
  fixture.database.write(id, { locations: [...locations, ...(locations.length > 1 ? row.locations : [])] });
  return { fixture, services, id };
}

test("an image in rbd is shown and listed, but neither read nor deleted, and stays as it was", async () => {
  const { fixture, services, id } = await imageIn([rbd]);
  assert.equal((await services.images.show(alice, id)).status, "active");
  await assert.rejects(services.data.download(alice, id, { signal: never }), withCode("stores.foreign"));
  await assert.rejects(services.images.remove(alice, id), withCode("stores.foreign"));
  assert.equal(fixture.database.live(id)?.status, "active");
});

test("an image that has its data here, too, is read from here", async () => {
  const { services, id } = await imageIn([rbd, { ...rbd, url: "cinder://volume" }]);
  const { stream } = await services.data.download(admin, id, { signal: never });
  assert.equal((await buffer(stream)).toString(), "data");
});

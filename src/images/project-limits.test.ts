// Unified limits in the domain: which call asks which limit, and that what goes over one is refused and leaves nothing.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { ServiceError } from "../core/errors.ts";
import { admin, alice, Fixture, formats, never, patch, send, withCode } from "./testing/fixture.ts";
import { WebStore } from "./testing/web-store.ts";

const mebibyte = 2 ** 20;
const generous = { image_size_total: 100, image_stage_total: 100, image_count_total: 100, image_count_uploading: 100 };

function limited() {
  const fixture = new Fixture();
  const allowed: Record<string, number> = { ...generous };
  const asked: (string | null)[] = [];
  const limits = {
    of: async (projectId: string | null) => {
      asked.push(projectId);
      return allowed;
    },
  };
  return { fixture, allowed, asked, services: fixture.node({ release: "2026.1", limits }) };
}
const stageOptions = { signal: never, announcedBytes: null };

test("limits: as many images as the project may have, and no more", async () => {
  const { services, allowed, asked, fixture } = limited();
  allowed.image_count_total = 2;
  const first = await services.images.create(alice, {});
  await services.images.create(alice, {});
  await assert.rejects(
    services.images.create(alice, {}),
    (error) => withCode("images.over_limit")(error) && /image_count_total is 2; it has 2/.test(String(error)),
  );
  assert.equal(fixture.database.images.size, 2);
  await services.images.remove(alice, first.id);
  await services.images.create(alice, {});
  assert.deepEqual(new Set(asked), new Set([alice.projectId]));
});

test("limits: data is taken in until the project is over its size, counted in whole MiB before each upload", async () => {
  const { services, allowed } = limited();
  allowed.image_size_total = 1;
  const ids = [];
  for (let count = 0; count < 3; count++) ids.push((await services.images.create(alice, formats)).id);
  const [first = "", second = "", third = ""] = ids;
  await send(services, alice, first, Buffer.alloc(mebibyte));
  await send(services, alice, second, Buffer.alloc(mebibyte));
  await assert.rejects(send(services, alice, third, Buffer.alloc(1)), withCode("images.over_limit"));
  assert.equal((await services.images.show(alice, third)).status, "queued");
  assert.deepEqual((await services.images.usage(alice)).image_size_total, { usage: 2, limit: 1 });
});

test("limits: so many images take data in at once as the project may have", async () => {
  const { services, allowed } = limited();
  allowed.image_count_uploading = 1;
  const [one, other] = [await services.images.create(alice, formats), await services.images.create(alice, formats)];
  const source = new Readable({ read() {} });
  const uploading = services.data.upload(alice, one.id, source, { signal: never, announcedBytes: null });
  while ((await services.images.show(alice, one.id)).status !== "saving") await new Promise(setImmediate);
  await assert.rejects(send(services, alice, other.id, Buffer.alloc(1)), withCode("images.over_limit"));
  await assert.rejects(
    services.imports.stage(alice, other.id, Readable.from([Buffer.alloc(1)]), stageOptions),
    withCode("images.over_limit"),
  );
  source.push(null);
  await uploading;
  await send(services, alice, other.id, Buffer.alloc(1));
});

test("limits: what is staged counts, and what was staged counts as data once it is imported", async () => {
  const { services, allowed } = limited();
  allowed.image_stage_total = 1;
  const ids = [];
  for (let count = 0; count < 3; count++) ids.push((await services.images.create(alice, formats)).id);
  const stage = (id: string) =>
    services.imports.stage(alice, id, Readable.from([Buffer.alloc(mebibyte)]), stageOptions);
  const [first = "", second = "", third = ""] = ids;
  await stage(first);
  await stage(second);
  await assert.rejects(stage(third), withCode("images.over_limit"));
  const usage = await services.images.usage(alice);
  assert.deepEqual(
    [usage.image_stage_total, usage.image_count_uploading],
    [
      { usage: 2, limit: 1 },
      { usage: 2, limit: 100 },
    ],
  );
  allowed.image_size_total = 0;
  const direct = { method: { name: "glance-direct" }, storeIds: null, headerStoreId: null } as const;
  await assert.rejects(
    services.imports.start(alice, first, { ...direct, allStores: false, allMustSucceed: true, body: {} }),
    withCode("images.over_limit"),
  );
  assert.equal((await services.images.show(alice, first)).status, "uploading");
});

test("limits: a limit that is not registered is 0, and without Keystone's limits nobody is asked", async () => {
  const { services, allowed } = limited();
  delete allowed.image_count_total;
  await assert.rejects(services.images.create(alice, {}), withCode("images.over_limit"));
  const free = new Fixture().node({ release: "2026.1" });
  await free.images.create(alice, {});
  assert.deepEqual(await free.images.usage(alice), {});
});

test("limits: while Keystone does not say, nothing is begun", async () => {
  const limits = { of: () => Promise.reject(new ServiceError("identity.unavailable", "Keystone is down.")) };
  const fixture = new Fixture();
  const services = fixture.node({ release: "2026.1", limits });
  await assert.rejects(services.images.create(alice, {}), withCode("identity.unavailable"));
  assert.equal(fixture.database.images.size, 0);
});

test("limits: data that is given by its location counts like data that is uploaded, by either way, for the image's owner", async () => {
  const web = new WebStore();
  const allowed = { ...generous, image_size_total: 1 };
  const asked: (string | null)[] = [];
  const limits = {
    of: async (projectId: string | null) => {
      asked.push(projectId);
      return allowed;
    },
  };
  const settings = { showLocations: true };
  const services = new Fixture().node({ release: "2026.1", limits, settings, stores: [web.named] });
  const url = web.add("disk", Buffer.alloc(2 * mebibyte));
  const { id } = await services.images.create(alice, formats);
  asked.length = 0;
  await assert.rejects(
    services.locations.add({ ...admin, roles: ["service"] }, id, { url }),
    withCode("images.over_limit"),
  );
  const add = patch({ op: "add", path: ["locations", "-"], value: { url, metadata: {} } });
  await assert.rejects(services.images.update(alice, id, add), withCode("images.over_limit"));
  assert.deepEqual(asked, ["alice", "alice"]);
  assert.equal((await services.images.show(alice, id)).status, "queued");
  allowed.image_size_total = 2;
  assert.equal((await services.images.update(alice, id, add)).status, "active");
});

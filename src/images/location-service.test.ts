// Locations by their own path: when the image becomes active, what it is hashed to, and what is left of requests and processes that fail.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { Caller } from "../core/caller.ts";
import { alice, Fixture, formats, Life, leaseSeconds, type NodeOptions, settled, withCode } from "./testing/fixture.ts";
import { WebStore } from "./testing/web-store.ts";

const data = Buffer.from("some data of a server's disk");
const hashOf = (algorithm: string) => createHash(algorithm).update(data).digest("hex");
const service: Caller = { ...alice, roles: ["service"] };
const validation = (algorithm: string, value = hashOf(algorithm)) => ({
  validation_data: { os_hash_algo: algorithm, os_hash_value: value },
});

async function ready(options: NodeOptions = {}) {
  const fixture = new Fixture();
  const web = new WebStore();
  const node = (more: NodeOptions = {}) =>
    fixture.node({ release: "2026.1", stores: [web.named], ...options, ...more });
  const services = node();
  const { id } = await services.images.create(alice, formats);
  const url = web.add("disk", data);
  const image = () => fixture.database.images.get(id) ?? assert.fail("the image is there");
  const task = () => [...fixture.database.tasks.values()].at(-1);
  const until = async (what: () => boolean) => {
    for (let turn = 0; turn < 100 && !what(); turn++) await settled();
    assert(what());
  };
  return { fixture, web, node, services, id, url, image, task, until };
}

test("locations: without a hash the image is active at once, and hashed afterwards", async () => {
  const { fixture, web, services, id, url, image, task, until } = await ready();
  const gate = Promise.withResolvers<void>();
  web.gate = gate.promise;
  await services.locations.add(alice, id, { url });
  await until(() => image().status === "active");
  assert.deepEqual([image().sizeBytes, image().checksum, image().hashValue], [data.length, null, null]);
  assert.equal(fixture.transfers.snapshot().length, 1, "a drain waits for it");
  gate.resolve();
  await until(() => task()?.status === "success");
  assert.deepEqual(
    [image().checksum, image().hashAlgorithm, image().hashValue],
    [hashOf("md5"), "sha512", hashOf("sha512")],
  );
  assert.deepEqual(
    (await services.locations.list(service, id)).map((one) => [one.url, one.metadata]),
    [[url, { store: "web" }]],
  );
  assert.deepEqual(
    [task()?.type, fixture.transfers.snapshot().length, fixture.database.importLeases.size],
    ["location_import", 0, 0],
  );
});

test("locations: with a hash the data is read first, and again where it breaks off", async () => {
  const { web, services, id, url, image, until } = await ready();
  web.failures = 1;
  await services.locations.add(alice, id, { url, ...validation("sha256", hashOf("sha256").toUpperCase()) });
  assert.equal(image().status, "importing");
  await until(() => image().status === "active");
  assert.deepEqual([web.opened, image().hashAlgorithm, image().hashValue], [2, "sha256", hashOf("sha256")]);
  assert.equal(image().checksum, hashOf("md5"));
});

test("locations: another hash, or data that is never whole, leaves the image queued, without a location", async () => {
  for (const failures of [0, 9]) {
    const { fixture, web, services, id, url, image, task, until } = await ready();
    web.failures = failures;
    const given = failures > 0 ? hashOf("sha256") : "0".repeat(64);
    await services.locations.add(alice, id, { url, ...validation("sha256", given) });
    await until(() => task()?.status === "failure");
    assert.deepEqual([image().status, image().locations, image().hashValue], ["queued", [], null]);
    assert.equal(fixture.database.importLeases.size, 0);
    web.failures = 0;
    await services.locations.add(alice, id, { url });
    await until(() => task()?.status === "success");
  }
});

test("locations: data that cannot be hashed afterwards leaves the image active", async () => {
  const { web, services, id, url, image, task, until } = await ready();
  web.failures = 9;
  await services.locations.add(alice, id, { url });
  await until(() => task()?.status === "failure");
  assert.deepEqual([image().status, image().hashValue, image().locations.length], ["active", null, 1]);
});

test("locations: where the operator wants no hash, none is computed, and a given one is believed", async () => {
  const { web, services, id, url, image, task, until } = await ready({ settings: { secureHash: false } });
  await services.locations.add(alice, id, { url, ...validation("sha256", "0".repeat(64)) });
  await until(() => task()?.status === "success");
  assert.deepEqual([image().status, image().hashValue, web.opened], ["active", "0".repeat(64), 0]);
});

test("locations: a process that is stopped while it hashes gives the image back; behind one that dies, another does", async () => {
  for (const dies of [false, true]) {
    const life = new Life();
    const { fixture, web, node, services, id, url, image, task, until } = await ready({ life });
    web.gate = new Promise(() => undefined);
    await services.locations.add(alice, id, { url, ...validation("md5") });
    assert.equal(image().status, "importing");
    if (dies) life.dead = true;
    services.imports.cut();
    if (dies) {
      await settled();
      assert.equal(image().status, "importing");
      await fixture.clock.advance(leaseSeconds * 1_000 + 1);
      await node({ node: "other", life: new Life() }).imports.reclaimExpiredImports();
    }
    await until(() => image().status === "queued");
    assert.deepEqual([image().locations, task()?.status, fixture.database.importLeases.size], [[], "failure", 0]);
  }
});

test("locations: what does not fit is refused before anything is done", async () => {
  const { fixture, services, id, url } = await ready();
  const refused: readonly (readonly [unknown, Parameters<typeof withCode>[0]])[] = [
    [{}, "images.invalid"],
    [[], "images.invalid"],
    [{ url: 1 }, "images.invalid"],
    [{ url, more: 1 }, "images.invalid"],
    [{ url: `${url} x` }, "images.invalid"],
    [{ url: "http://web/absent" }, "images.invalid"],
    [{ url, ...validation("sha384") }, "images.invalid"],
    [{ url, validation_data: { os_hash_algo: "md5" } }, "images.invalid"],
    [{ url, validation_data: { ...validation("md5").validation_data, checksum: hashOf("md5") } }, "images.invalid"],
    [{ url, ...validation("md5", "x".repeat(32)) }, "images.invalid"],
    [{ url: "memory://elsewhere/a" }, "images.forbidden"],
    [{ url: "file:///etc/passwd" }, "images.forbidden"],
  ];
  for (const [body, code] of refused)
    await assert.rejects(services.locations.add(alice, id, body), withCode(code), JSON.stringify(body));
  await assert.rejects(services.locations.add(service, id, { url: "file:///etc/passwd" }), withCode("images.invalid"));
  const bare = await services.images.create(alice, {});
  await assert.rejects(services.locations.add(alice, bare.id, { url }), withCode("images.invalid"));
  assert.equal(fixture.database.importLeases.size + fixture.database.tasks.size, 0);
  const both = await Promise.allSettled([1, 2].map(() => services.locations.add(alice, id, { url })));
  assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  for (const one of both) if (one.status === "rejected") assert(withCode("images.status_conflict")(one.reason));
});

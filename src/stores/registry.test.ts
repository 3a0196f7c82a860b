import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStore } from "./memory/memory-store.ts";
import { createStoreRegistry, type NamedStore, type RegistryOptions } from "./registry.ts";
import type { Store } from "./store.ts";

const named = (id: string, weight = 0): NamedStore => ({
  id,
  type: "memory",
  description: null,
  weight,
  store: new MemoryStore({ name: id }),
});
const fast = named("fast", 1);
const cheap = named("cheap", 7);
const registry = (changes: Partial<RegistryOptions> = {}) =>
  createStoreRegistry({ stores: [fast, cheap], defaultId: "fast", key: "store", weighed: true, ...changes });
/** One that also reaches what is not its own, as those with accounts and buckets do. */
const wide: NamedStore = {
  ...fast,
  store: Object.create(fast.store, {
    properties: { value: { schemes: ["memory"], writable: true, shown: {} } satisfies Store["properties"] },
    owns: { value: (url: string) => fast.store.owns(url) },
  }),
};
const at = (url: string, metadata: Record<string, unknown> = {}) => ({ url, metadata });

test("registry: a location's store is the one it names, by the key of any release, else the one its URL is of", () => {
  const { of } = registry();
  assert.equal(of(at("memory://fast/1", { store: "cheap" })), cheap);
  assert.equal(of(at("memory://fast/1", { backend: "cheap" })), cheap);
  assert.equal(of(at("memory://fast/1", { store: "elsewhere", backend: "cheap" })), cheap);
  assert.equal(of(at("memory://cheap/1", { store: "elsewhere" })), cheap);
  assert.equal(of(at("memory://cheap/1", { store: 7 })), cheap);
  assert.equal(of(at("memory://nowhere/1")), fast, "the first of its scheme may know it by another name");
  assert.equal(of(at("gopher://fast/1")), undefined);
  assert.equal(of(at("")), undefined);
});

test("registry: a store that a location names and this node has not is elsewhere, also for a node without several stores", () => {
  for (const { storeElsewhere } of [registry(), registry({ stores: [fast], key: null })]) {
    assert.equal(storeElsewhere(at("memory://slow/1", { store: "slow" })), "slow");
    assert.equal(storeElsewhere(at("memory://slow/1", { backend: "slow" })), "slow");
    assert.equal(storeElsewhere(at("memory://slow/1")), undefined);
    assert.equal(storeElsewhere(at("memory://fast/1", { store: "slow" })), undefined, "its URL is of a store of ours");
  }
  const { storeElsewhere } = registry({ stores: [wide], key: null });
  assert.equal(storeElsewhere(at("memory://slow/1", { store: "slow" })), undefined, "the one store may reach it");
});

test("registry: without several stores names in metadata find none, and none are written", () => {
  const single = registry({ stores: [fast], key: null });
  assert.equal(single.multiStore, false);
  assert.equal(single.of(at("memory://fast/1", { store: "cheap" })), fast);
  assert.equal(single.idIn({ store: "fast" }), undefined);
  assert.deepEqual(single.metadataFor(fast), {});
  assert.deepEqual(registry({ key: "backend" }).metadataFor(fast), { backend: "fast" });
});

test("registry: an owner is only who surely wrote there", () => {
  assert.equal(registry().ownerOf("memory://cheap/1"), cheap);
  assert.equal(registry().ownerOf("memory://nowhere/1"), undefined);
});

test("registry: locations are tried by weight where the release weighs, and stay in their order otherwise", () => {
  const locations = [at("memory://fast/1"), at("gopher://x"), at("memory://cheap/1"), at("memory://fast/2")];
  const urls = (changes: Partial<RegistryOptions>) =>
    registry(changes)
      .inOrder(locations)
      .map(({ url }) => url);
  assert.deepEqual(urls({}), ["memory://cheap/1", "memory://fast/1", "memory://fast/2", "gopher://x"]);
  assert.deepEqual(
    urls({ weighed: false }),
    locations.map(({ url }) => url),
  );
});

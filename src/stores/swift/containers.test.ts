import assert from "node:assert/strict";
import { test } from "node:test";
import { containerOf, isContainerOf } from "./containers.ts";

const key = "3A1f0b2c-4d5e-4f60-8a7b-9c0d1e2f3a4b";

test("swift containers: an image's is named after the beginning of its id, dashes aside", () => {
  for (const [idCharacters, container] of [
    [0, "glance"],
    [1, "glance_3"],
    [3, "glance_3a1"],
    [8, "glance_3a1f0b2c"],
    [9, "glance_3a1f0b2c-4"],
    [32, `glance_${key.toLowerCase()}`],
  ] as const)
    assert.equal(containerOf({ name: "glance", idCharacters }, key), container);
});

test("swift containers: what was stored under another setting is still the store's, what is another's is not", () => {
  const now = { name: "glance", idCharacters: 2 };
  for (const container of ["glance", "glance_3", "glance_3a", "glance_3a1f0b2c-4"])
    assert(isContainerOf(now, container, key), container);
  for (const container of ["glance_", "glance_4", "glance_other", "glances", "other_3a", "glance_3A"])
    assert(!isContainerOf(now, container, key), container);
});

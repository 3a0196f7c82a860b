// The versions each release announces, written out as the reference's own lists have them; and what a mixed fleet relies on: of two releases
// the newer one announces everything the older one does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiFeatures, noFeatures } from "./api-versions.ts";
import { type ReleaseId, releaseOf, releases } from "./catalogue.ts";

const stores: ApiFeatures = { ...noFeatures, multiStore: true };
const cache: ApiFeatures = { ...noFeatures, cache: true };
const storesAndCache: ApiFeatures = { ...stores, cache: true };
const imageImport: ApiFeatures = { ...noFeatures, imageImport: true };
const every: readonly ApiFeatures[] = [false, true].flatMap((multiStore) =>
  [false, true].flatMap((withCache) =>
    [false, true].map((withImport) => ({ multiStore, cache: withCache, imageImport: withImport })),
  ),
);

/** `2.5! 2.4 ...`: an exclamation mark for EXPERIMENTAL; the first that has none is CURRENT, all others SUPPORTED. */
function listOf(release: ReleaseId, features: ApiFeatures): string {
  const versions = releaseOf(release).apiVersions(features);
  const current = versions.filter(({ status }) => status === "CURRENT");
  assert.equal(current.length, 1);
  const supported = versions.filter(({ status }) => status !== "EXPERIMENTAL");
  assert.equal(supported[0], current[0], "the current one is the newest that is not on trial");
  assert(supported.slice(1).every(({ status }) => status === "SUPPORTED"));
  assert(versions.every(({ id }) => id.startsWith("v2.")));
  return versions.map(({ id, status }) => `${id.slice(1)}${status === "EXPERIMENTAL" ? "!" : ""}`).join(" ");
}

const oldest = "2.4 2.3 2.2 2.1 2.0";
const upTo7 = `2.7 2.6 2.5 ${oldest}`;
const table: readonly (readonly [readonly ReleaseId[], ApiFeatures, string])[] = [
  [["newton"], noFeatures, oldest],
  [["ocata", "pike"], noFeatures, `2.5 ${oldest}`],
  [["ocata"], imageImport, `2.5 ${oldest}`],
  [["pike"], imageImport, `2.6! 2.5 ${oldest}`],
  [["queens"], storesAndCache, `2.6 2.5 ${oldest}`],
  [["rocky", "stein"], cache, upTo7],
  [["rocky", "stein"], stores, `2.8! ${upTo7}`],
  [["train", "ussuri", "victoria", "wallaby", "xena"], cache, `2.9 ${upTo7}`],
  [["train"], stores, `2.9 2.8 ${upTo7}`],
  [["ussuri"], stores, `2.10 2.9 2.8 ${upTo7}`],
  [["victoria"], stores, `2.11 2.10 2.9 2.8 ${upTo7}`],
  [["wallaby", "xena"], storesAndCache, `2.12 2.11 2.10 2.9 2.8 ${upTo7}`],
  [["yoga", "zed", "2023.1", "2023.2", "2024.1"], noFeatures, `2.15 2.9 ${upTo7}`],
  [["yoga", "2024.1"], cache, `2.16 2.15 2.14 2.9 ${upTo7}`],
  [["yoga", "2024.1"], stores, `2.15 2.13 2.12 2.11 2.10 2.9 2.8 ${upTo7}`],
  [["yoga", "2024.1"], storesAndCache, `2.16 2.15 2.14 2.13 2.12 2.11 2.10 2.9 2.8 ${upTo7}`],
  [["2024.2", "2025.1", "2025.2", "2026.1"], noFeatures, `2.17 2.15 2.9 ${upTo7}`],
  [["2024.2", "2026.1"], cache, `2.17 2.16 2.15 2.14 2.9 ${upTo7}`],
  [["2024.2", "2026.1"], stores, `2.17 2.15 2.13 2.12 2.11 2.10 2.9 2.8 ${upTo7}`],
  [["2024.2", "2026.1"], storesAndCache, `2.17 2.16 2.15 2.14 2.13 2.12 2.11 2.10 2.9 2.8 ${upTo7}`],
];

for (const [ids, features, expected] of table)
  test(`versions: ${ids.join(", ")} with ${JSON.stringify(features)}`, () => {
    for (const id of ids) assert.equal(listOf(id, features), expected, id);
  });

test("versions: a newer release announces all that an older one does, none on trial again, whatever is turned on", () => {
  const number = (id: string) => Number(id.slice("v2.".length));
  for (const features of every)
    for (const [at, release] of releases.slice(1).entries()) {
      const older = releases[at]?.apiVersions(features) ?? assert.fail();
      const newer = release.apiVersions(features);
      for (const { id, status } of older) {
        // What was on trial behind a switch of its time may only become more.
        const now = newer.find((version) => version.id === id);
        assert(now, `${release.id} lacks ${id}, which the release before has`);
        if (status !== "EXPERIMENTAL") assert.notEqual(now.status, "EXPERIMENTAL", `${release.id}, ${id}`);
      }
      const current = (versions: typeof newer) =>
        versions.find(({ status }) => status === "CURRENT")?.id ?? assert.fail();
      assert(number(current(newer)) >= number(current(older)), release.id);
    }
});

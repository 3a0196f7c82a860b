// What an API asks itself before it listens: nobody else sees it, and nobody can take its place.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi } from "./testing/api-server.ts";
import { WarmUp } from "./warm-up.ts";

type Seen = { readonly projectId: string | null; readonly roles: readonly string[] };

/** Who asked for lists; what `list` then does is the test's. */
function watched(list: () => Promise<never> | undefined = () => undefined) {
  const lists: Seen[] = [];
  const replace: NonNullable<Parameters<typeof startApi>[0]>["replace"] = ({ images }) => ({
    images: {
      ...images,
      list: (...args) => {
        lists.push(args[0]);
        return list() ?? images.list(...args);
      },
    },
  });
  return { lists, replace };
}

test("warm-up: an API serves itself as nobody's client, and counts nothing of it", async () => {
  const { lists, replace } = watched();
  await using api = await startApi({ flavor: "fakeauth", warmUp: new WarmUp(), replace });
  assert(lists.length > 0, "the list is warm");
  assert(
    lists.every(({ projectId, roles }) => projectId !== null && !roles.includes("admin")),
    "it is no admin, and of a project that nobody has",
  );
  assert.doesNotMatch(await api.registry.metrics(), /perennial_api_requests_total\{/);
  const all = await fetch(`${api.url}/v2/images`, { headers: { "X-Auth-Token": "u:demo:admin" } });
  assert.deepEqual(((await all.json()) as { images: unknown[] }).images, [], "nothing was created");
});

test("warm-up: once it is over, who asks is found out as ever, and counted", async () => {
  await using api = await startApi({ flavor: "fakeauth", warmUp: new WarmUp() });
  assert.equal((await fetch(`${api.url}/v2/images`)).status, 401);
  const mine = await fetch(`${api.url}/v2/images`, { headers: { "X-Auth-Token": "u:demo:member" } });
  assert.deepEqual([mine.status, ((await mine.json()) as { images: unknown[] }).images], [200, []]);
  assert.match(await api.registry.metrics(), /perennial_api_requests_total\{[^}]*status="4xx"[^}]*\} 1\n/);
});

test("warm-up: a service that fails or does not answer keeps no API from starting", async () => {
  for (const list of [() => Promise.reject(new Error("broken")), () => new Promise<never>(() => undefined)]) {
    const { lists, replace } = watched(list);
    await using api = await startApi({ flavor: "fakeauth", warmUp: new WarmUp(), replace });
    assert.equal(lists.length, 1, "it has seen enough");
    assert.equal((await fetch(`${api.url}/healthcheck`)).status, 200);
  }
});

test("warm-up: of an API that listens, where others could come meanwhile, it is refused", async () => {
  await using api = await startApi({ flavor: "fakeauth" });
  await assert.rejects(new WarmUp().run(api.server), /listens already/);
});

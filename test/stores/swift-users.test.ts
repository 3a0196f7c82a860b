// The Swift store in accounts of its users, against a real Swift and a real Keystone: everything a store promises, and who else may read.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { isServiceError } from "../../src/core/errors.ts";
import type { Store } from "../../src/stores/store.ts";
import { openSwiftStore } from "../../src/stores/swift/swift-store.ts";
import { UserAccounts } from "../../src/stores/swift/user-accounts.ts";
import { storeConformance } from "../../src/stores/testing/store-conformance.ts";
import { type Person, startUsersSwift, type UsersSwift } from "../servers/users-swift.ts";

const signal = new AbortController().signal;
let cloud: UsersSwift;
let owner: Person;
let friend: Person;

before(async () => {
  cloud = await startUsersSwift();
  [owner, friend] = [await cloud.makePerson("owner"), await cloud.makePerson("friend")];
});
after(() => cloud?.stop());

function openUsers({ user = cloud.service, container = `images-${randomUUID().slice(0, 8)}` } = {}) {
  const reference = {
    name: "ref1",
    authAddress: new URL(cloud.keystone.url),
    authVersion: "3",
    user: `service:${user.name}`,
    key: user.password,
    projectDomain: { id: "default" },
    userDomain: { id: "default" },
  } as const;
  const choice = { serviceType: "object-store", interface: "public", region: null };
  const access = { reference, choice, endpoint: null, insecure: false };
  const places = new UserAccounts({ access, container, adminProjects: ["ops"] });
  return { container, store: openSwiftStore({ places, container, segmentBytes: 1_048_576, largeObjectMb: 5_120 }) };
}

const within = (store: Store, project: string | null) =>
  store.within?.({ project }) ?? assert.fail("one place for all");
const dataOf = (text: string) => Readable.from([Buffer.from(text)]);

/** As somebody sees what is the owner's. */
const as = (person: Person, path: string) => cloud.ask(person, path, owner.id);

const listed = async (path: string) => (await (await as(owner, path)).text()).split("\n").filter((name) => name !== "");

storeConformance("swift store of users", async () => {
  const { store, container } = openUsers();
  return {
    store: await within(store, owner.id),
    /** Pieces that an object is made of count as the object. */
    async contents() {
      const containers = (await listed("")).filter((name) => name.startsWith(`${container}_`));
      const held = await Promise.all(
        containers.map(async (name) => {
          const key = name.slice(container.length + 1);
          const { headers } = await as(owner, `${name}/${key}`);
          const names = await listed(name);
          return names.filter((one) => !one.startsWith(`${key}-${headers.get("x-object-meta-perennial-put")}-`));
        }),
      );
      return held.flat();
    },
    close: () => store.close(),
  };
});

test("swift store of users: data is in the account of its project, in a container of its own that goes with it", async () => {
  const { store, container } = openUsers();
  const id = randomUUID();
  const own = await within(store, owner.id);
  const { url } = await own.put(id, dataOf("theirs"), { signal });
  assert.equal(url, `swift+${cloud.swift.url}/v1/AUTH_${owner.id}/${container}_${id}/${id}`);
  assert.equal(url, own.locationFor(id));
  assert.equal(await (await as(owner, `${container}_${id}/${id}`)).text(), "theirs");
  assert.equal((await as(friend, `${container}_${id}/${id}`)).status, 403);
  // Who was told nothing of projects finds all of it by its URL.
  assert(store.owns(url));
  assert.equal((await buffer(await store.open(url, { signal }))).toString(), "theirs");
  assert.equal((await store.within?.({ url }))?.locationFor(id), url);
  await store.remove(url);
  await store.remove(url);
  assert.deepEqual(
    (await listed("")).filter((name) => name.startsWith(container)),
    [],
  );
  await store.close();
});

test("swift store of users: whoever is named may read by a token of their own, and nobody else from then on", async () => {
  const { store, container } = openUsers();
  const id = randomUUID();
  const path = `${container}_${id}/${id}`;
  const { url } = await (await within(store, owner.id)).put(id, dataOf("shared"), { signal });
  const share = (readers: Parameters<NonNullable<Store["share"]>>[1]) => store.share?.(url, readers);
  await share([friend.id, randomUUID()]);
  assert.equal(await (await as(friend, path)).text(), "shared");
  await share([]);
  assert.equal((await as(friend, path)).status, 403);
  await share("everybody");
  assert.equal(await (await as(friend, path)).text(), "shared");
  const { headers } = await as(owner, `${container}_${id}`);
  assert.deepEqual([headers.get("x-container-read"), headers.get("x-container-write")], ["*:*", "ops:*"]);
  await store.remove(url);
  await assert.rejects(
    async () => share([]),
    (error) => isServiceError(error, "stores.blob_not_found"),
  );
  await store.close();
});

test("swift store of users: data of nobody's images is in the service's own account", async () => {
  const { store } = openUsers();
  const { url } = await (await within(store, null)).put("id", dataOf("nobody's"), { signal });
  assert.equal(await store.size(url), 8);
  await store.remove(url);
  await assert.rejects(within(store, "no/project"), (error) => isServiceError(error, "stores.read_only"));
  await store.close();
});

test("swift store of users: the service's token goes to no server but those of the catalog", async () => {
  let asked = 0;
  const stranger = createServer((_request, response) => {
    asked += 1;
    response.end("x");
  }).listen(0, "127.0.0.1");
  await once(stranger, "listening");
  const { store, container } = openUsers();
  const host = `127.0.0.1:${(stranger.address() as AddressInfo).port}`;
  const id = randomUUID();
  const { host: own } = new URL(cloud.swift.url);
  for (const url of [
    `swift+http://${host}/v1/AUTH_${owner.id}/${container}_${id}/${id}`,
    `swift+http://${own}/v1/AUTH_${owner.id}/../x/${container}_${id}/${id}`,
    `swift+http://${own}/v1/AUTH_/${container}_${id}/${id}`,
    `swift+https://${own}/v1/AUTH_${owner.id}/${container}_${id}/${id}`,
    `swift+http://user:key@${own}/v1/AUTH_${owner.id}/${container}_${id}/${id}`,
    `swift+http://${own}/v1/AUTH_${owner.id}/other_${id}/${id}`,
  ])
    for (const call of [() => store.size(url), () => store.remove(url), () => store.open(url, { signal })])
      await assert.rejects(call, (error) => isServiceError(error, "stores.blob_not_found"), url);
  assert.equal(asked, 0);
  await store.close();
  stranger.close();
});

test("swift store of users: a user without the role is told which one it needs", async () => {
  const { store } = openUsers({ user: cloud.powerless });
  const own = await within(store, owner.id);
  await assert.rejects(own.put(randomUUID(), dataOf("x"), { signal }), (error) => {
    return isServiceError(error, "stores.read_only") && /reseller_admin_role/.test(error.message);
  });
  await store.close();
});

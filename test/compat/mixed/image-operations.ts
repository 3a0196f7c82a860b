// Random things that clients do to images. Each returns the image it touched, or null.
import { type Answer, type Asked, ask } from "./exchange.ts";
import { isOk, json, type World } from "./world.ts";

export type Operation = (world: World) => Promise<string | null>;

const names = ["one", "two", "é漢", "", " blanks ", "a,b", "x".repeat(255), "quote\"'\\", null];
const tags = ["a", "b", "blue", "ü", "t".repeat(255), "A"];
const properties = ["k", "os_distro", "hw_disk_bus", "ключ", "with space", "a/b", "K"];
const values = ["v", "debian", "", "漢字 ü", "x".repeat(2_000), "0", "true", "null", '{"a": 1}'];
const formats = ["raw", "raw", "raw", "qcow2", "iso", "ami", null] as const;

function some<T>(world: World, items: readonly T[], atMost: number): T[] {
  return [...new Set(Array.from({ length: world.below(atMost + 1) }, () => world.pick(items)))];
}

const create: Operation = async (world) => {
  const body = {
    ...(world.chance(4) ? {} : { name: world.pick(names) }),
    ...(world.chance(5) ? { disk_format: world.pick(formats) } : { disk_format: "raw", container_format: "bare" }),
    ...(world.chance(2) ? { tags: some(world, tags, 6) } : {}),
    ...(world.chance(3) ? { visibility: world.pick(["private", "shared", "community", "public"]) } : {}),
    ...(world.chance(6) ? { protected: true } : {}),
    ...(world.chance(6) ? { os_hidden: true } : {}),
    ...(world.chance(3) ? { min_disk: world.below(3), min_ram: world.pick([0, 512, 2 ** 31 - 1]) } : {}),
    ...(world.chance(12) && world.deleted.length > 0 ? { id: world.pick(world.deleted) } : {}),
    ...Object.fromEntries(some(world, properties, 3).map((name) => [name, world.pick(values)])),
  };
  const asked: Asked = {
    caller: world.pick(["ann", "ann", "ann", "ops", "bob", "eve"]),
    method: "POST",
    path: "/v2/images",
    body,
  };
  const answer = await world.attempt("create", asked);
  if (!isOk(answer)) return null;
  const id = String(json(answer).id);
  world.images.push(id);
  await sameAsShown(world, asked, answer, id);
  return id;
};

/** What a node answers to a change is what both show afterwards. */
async function sameAsShown(world: World, asked: Asked, answer: Answer, id: string): Promise<void> {
  const shown = await world.bothSay({ caller: asked.caller, method: "GET", path: `/v2/images/${id}` });
  world.note(`answered by ${world.answeredBy} (first), and shown afterwards`, asked, [
    { ...answer, headers: {}, status: 200 },
    { ...shown, headers: {} },
  ]);
}

const upload: Operation = async (world) => {
  const id = world.image();
  const size = world.pick([0, 1, 9, 1_000, 70_000, 200_000, 1_000_001]);
  const body = Buffer.alloc(size, `${id}${world.below(1_000)}`);
  await world.attempt("upload", { caller: world.caller(), method: "PUT", path: `/v2/images/${id}/file`, body });
  return id;
};

const patchType = { "content-type": "application/openstack-images-v2.1-json-patch" };
const pointer = (name: string) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;

function change(world: World): unknown {
  const property = pointer(world.pick(properties));
  const replace = (path: string, value: unknown) => ({ op: "replace", path, value });
  return world.pick([
    () => replace("/name", world.pick(names)),
    () => replace("/visibility", world.pick(["private", "shared", "community", "public"])),
    () => replace("/protected", !world.chance(3)),
    () => replace("/protected", false),
    () => replace("/os_hidden", world.chance(2)),
    () => replace("/min_disk", world.below(4)),
    () => replace("/min_ram", world.below(4)),
    () => replace("/tags", some(world, tags, 6)),
    () => replace("/disk_format", world.pick(formats)),
    () => replace("/container_format", world.pick(["bare", "ova", null])),
    () => replace("/owner", world.pick(["blue", "red", "", null])),
    () => ({ op: "add", path: property, value: world.pick(values) }),
    () => ({ op: "add", path: property, value: world.pick(values) }),
    () => replace(property, world.pick(values)),
    () => ({ op: "remove", path: property }),
    () => ({ op: "remove", path: property }),
  ])();
}

const patch: Operation = async (world) => {
  const id = world.image();
  const body = Array.from({ length: 1 + world.below(3) }, () => change(world));
  return patchBy(world, "patch", id, body);
};

async function patchBy(world: World, what: string, id: string, body: unknown): Promise<string> {
  const asked: Asked = { caller: world.caller(), method: "PATCH", path: `/v2/images/${id}`, body, headers: patchType };
  const answer = await world.attempt(what, asked);
  // Whoever gives an image away may not see it any more.
  if (isOk(answer) && !JSON.stringify(body).includes("/owner")) await sameAsShown(world, asked, answer, id);
  return id;
}

/** Locations on the test's own web server: the path is the number of bytes that lie there. */
const relocate: Operation = async (world) => {
  const id = world.image();
  // Beside data of no bytes Glance takes a location of any size (docs/mixed-fleet.md), and then each reads another one.
  const shown = await ask(world.fleet, "ours", { caller: "ops", method: "GET", path: `/v2/images/${id}` });
  if (json(shown).size === 0) return null;
  const url = `${world.fleet.web}/${world.pick([10, 500, 4_000])}`;
  const metadata = world.pick([{}, { a: "b" }, { store: world.pick(["web", "fast"]) }]);
  return patchBy(world, "locations", id, [
    world.pick([
      { op: "add", path: "/locations/-", value: { url, metadata } },
      { op: "add", path: "/locations/0", value: { url, metadata } },
      { op: "replace", path: "/locations", value: [{ url, metadata }] },
      { op: "remove", path: "/locations/0" },
      { op: "remove", path: "/locations/1" },
    ]),
  ]);
};

const remove: Operation = async (world) => removeBy(world, world.caller(), world.image());

async function removeBy(world: World, caller: Asked["caller"], id: string): Promise<string> {
  const answer = await world.attempt("delete", { caller, method: "DELETE", path: `/v2/images/${id}` });
  if (isOk(answer)) {
    world.images.splice(world.images.indexOf(id), 1);
    world.deleted.push(id);
  }
  return id;
}

const invite: Operation = async (world) => {
  const id = world.image();
  const path = `/v2/images/${id}/members`;
  const member = world.pick(["blue", "blue", "blue", "green", "é", "m4", "m5"]);
  const one = `${path}/${encodeURIComponent(member)}`;
  const status = { status: world.pick(["accepted", "rejected", "pending"]) };
  const [what, asked] = world.pick<readonly [string, Asked]>([
    ["member added", { caller: world.caller(), method: "POST", path, body: { member } }],
    ["member added", { caller: "ann", method: "POST", path, body: { member } }],
    ["member answers", { caller: world.pick(["bob", "ops"]), method: "PUT", path: one, body: status }],
    ["member removed", { caller: world.caller(), method: "DELETE", path: one }],
  ]);
  await world.attempt(what, asked);
  return id;
};

const tag: Operation = async (world) => {
  const id = world.image();
  const path = `/v2/images/${id}/tags/${encodeURIComponent(world.pick(tags))}`;
  const method = world.pick(["PUT", "PUT", "DELETE"]);
  await world.attempt(`tag ${method}`, { caller: world.caller(), method, path });
  return id;
};

const act: Operation = async (world) => {
  const id = world.image();
  const path = `/v2/images/${id}/actions/${world.pick(["deactivate", "reactivate"])}`;
  await world.attempt("action", { caller: world.pick(["ann", "ops", "bob"]), method: "POST", path });
  return id;
};

/** Staged at one node, and imported by whichever is asked: it sends the request on to where the data lies. */
const stage: Operation = async (world) => {
  const id = world.image();
  const body = Buffer.alloc(world.pick([0, 3_000, 1_000_001]), id);
  await world.attempt("stage", { caller: "ann", method: "PUT", path: `/v2/images/${id}/stage`, body });
  if (world.chance(4)) return id;
  return importBy(world, id, { name: "glance-direct" });
};

const download: Operation = async (world) => {
  const id = world.image();
  const place = world.pick(["/10", "/2000", "/none"]);
  return importBy(world, id, { name: "web-download", uri: `${world.fleet.web}${place}` });
};

async function importBy(
  world: World,
  id: string,
  method: { readonly name: string; readonly uri?: string },
): Promise<string> {
  const path = `/v2/images/${id}/import`;
  const answer = await world.attempt(`import ${method.name}`, {
    caller: "ann",
    method: "POST",
    path,
    body: { method },
  });
  if (isOk(answer)) await world.settled(id);
  return id;
}

/**
 * A new image of ann's on one of the ways to data, each step of which may go well whatever chance said of other images: with operations on
 * any image alone most steps are refused.
 */
const live: Operation = async (world) => {
  const body = { name: world.pick(names), disk_format: "raw", container_format: "bare" };
  const created = await world.attempt("create", { caller: "ann", method: "POST", path: "/v2/images", body });
  if (!isOk(created)) return null;
  const id = String(json(created).id);
  world.images.push(id);
  const patchOf = async (what: string, change: unknown) => {
    const path = `/v2/images/${id}`;
    await world.attempt(what, { caller: "ann", method: "PATCH", path, body: [change], headers: patchType });
  };
  const added = (way: string) => ({
    op: "add",
    path: "/locations/-",
    value: { url: `${world.fleet.web}/500${way}`, metadata: { way } },
  });
  const ways = [
    async () => {
      for (const way of ["", "?again"]) await patchOf("location added", added(way));
      await patchOf("location removed", { op: "remove", path: `/locations/${world.below(2)}` });
    },
    async () => {
      const data = Buffer.alloc(3_000, id);
      await world.attempt("stage", { caller: "ann", method: "PUT", path: `/v2/images/${id}/stage`, body: data });
      await importBy(world, id, { name: "glance-direct" });
    },
    () => importBy(world, id, { name: "web-download", uri: `${world.fleet.web}/2000` }),
  ];
  await world.pick(ways)();
  return world.chance(3) ? removeBy(world, "ann", id) : id;
};

const task: Operation = async (world) => {
  const input = {
    import_from: `${world.fleet.web}/${world.pick(["100", "none"])}`,
    import_from_format: "raw",
    image_properties: { name: "by task", disk_format: "raw", container_format: "bare" },
  };
  const asked: Asked = {
    caller: world.pick(["ops", "ops", "ann"]),
    method: "POST",
    path: "/v2/tasks",
    body: { type: "import", input },
  };
  const answer = await world.attempt("task", asked);
  if (!isOk(answer)) return null;
  const path = `/v2/tasks/${json(answer).id}`;
  return world.taskDone(path);
};

/** How often each is done, more or less. */
export const imageOperations: readonly (readonly [Operation, number])[] = [
  [create, 6],
  [live, 5],
  [upload, 6],
  [patch, 8],
  [relocate, 3],
  [remove, 2],
  [invite, 5],
  [tag, 4],
  [act, 3],
  [stage, 4],
  [download, 2],
  [task, 1],
];

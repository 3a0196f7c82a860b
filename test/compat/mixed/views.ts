// What clients can look at, asked of both kinds of nodes: an image by everybody who may or may not see it, its data, members and tasks, and lists.
import { isDeepStrictEqual } from "node:util";
import { type Asked, ask, type Caller } from "./exchange.ts";
import { json, type World } from "./world.ts";

const get = (caller: Caller, path: string, headers?: Asked["headers"]): Asked => ({
  caller,
  method: "GET",
  path,
  ...(headers === undefined ? {} : { headers }),
});

/** An image that was touched: as two of the callers see it, its data, and one more of what belongs to it. */
export async function compareImage(world: World, imageId: string): Promise<void> {
  const path = `/v2/images/${imageId}`;
  const range = world.pick(["bytes=0-4", "bytes=-3", "bytes=2-", "bytes=900-"]);
  const data = world.pick([get(world.pick(["ann", "ops"]), `${path}/file`), get("ann", `${path}/file`, { range })]);
  const more = world.pick([
    get("ann", `${path}/members`),
    get("bob", `${path}/members`),
    get("bob", `${path}/members/blue`),
    get(world.pick(["ann", "ops"]), `${path}/tasks`),
  ]);
  await world.allSay([get("ann", path), get(world.pick(["bob", "ops"]), path), data, more]);
}

/** All of it, as all callers see it. */
export async function compareWholeImage(world: World, imageId: string): Promise<void> {
  const path = `/v2/images/${imageId}`;
  const places = [path, `${path}/file`, `${path}/members`, `${path}/members/blue`, `${path}/tasks`];
  const callers = ["ann", "bob", "ops", "eve"] as const;
  await world.allSay(callers.flatMap((caller) => places.map((place) => get(caller, place))));
}

/** A list, by chance of one of the many ways to ask for one, and its second page. */
export async function compareList(world: World): Promise<void> {
  const { caller, query } = { caller: world.pick(["ann", "bob", "ops"] as const), query: world.pick(listQueries) };
  const { body } = await world.bothSay(get(caller, `/v2/images?${query}`));
  const { next, images } = body as ImageList;
  if (next === undefined) return;
  if (hasEmptyKey(images.at(-1), query)) await followsIn(world, caller, query, { next, after: images });
  else await world.bothSay(get(caller, next));
}

type ImageList = { readonly next?: string; readonly images: readonly Readonly<Record<string, unknown>>[] };

/** Whether a key of the order is empty in this image: behind such a marker Glance confuses none with "" and 0 (docs/mixed-fleet.md). */
function hasEmptyKey(image: ImageList["images"][number] | undefined, query: string): boolean {
  const asked = new URLSearchParams(query);
  const sort = asked.get("sort")?.split(",") ?? [];
  const keys = [...asked.getAll("sort_key"), ...sort.map((key) => key.split(":")[0] ?? "")];
  return keys.some((key) => image?.[key] === null || image?.[key] === "" || image?.[key] === 0);
}

/** Our second page is what follows in our whole list. */
async function followsIn(
  world: World,
  caller: Caller,
  query: string,
  { next, after }: { next: string; after: ImageList["images"] },
): Promise<void> {
  const listed = async (path: string) =>
    (json(await ask(world.fleet, "ours", get(caller, path))) as unknown as ImageList).images.map((image) => image.id);
  const [page, whole] = await Promise.all([
    listed(next),
    listed(`/v2/images?${query.replace(/limit=\d+/, "limit=1000")}`),
  ]);
  const expected = whole.slice(after.length, 2 * after.length);
  if (!isDeepStrictEqual(page, expected))
    world.mistakes.push(`ours: ${next} has ${page.join(", ")}, and what follows is ${expected.join(", ")}`);
}

const listQueries = [
  "limit=1000",
  "limit=1000",
  "limit=3",
  "limit=3&sort_key=name&sort_dir=asc",
  "limit=3&sort=size:asc,name:desc",
  "limit=4&sort_key=status&sort_key=created_at&sort_dir=asc&sort_dir=desc",
  "visibility=all&limit=1000",
  "visibility=shared",
  "visibility=community&limit=1000",
  "visibility=public&limit=1000",
  "visibility=private&limit=1000",
  "member_status=all&limit=1000",
  "member_status=pending&visibility=shared",
  "member_status=rejected",
  "os_hidden=true",
  "protected=true",
  "status=active&limit=1000",
  "status=in:queued,active&limit=1000",
  "name=in:%22one%22,%22%C3%A9%E6%BC%A2%22",
  "name=%C3%A9%E6%BC%A2",
  "tag=blue",
  "tag=a&tag=b",
  "size_min=100&limit=1000",
  "size_max=100&limit=1000",
  "min_disk=1",
  "disk_format=qcow2",
  "container_format=in:bare,ova&limit=5",
  "os_distro=debian",
  "k=v",
  "k=v&os_distro=debian",
  "owner=red&limit=1000",
  "created_at=gte:2020-01-01T00:00:00Z&limit=5",
  "updated_at=lt:2020-01-01T00:00:00Z",
];

/** What does not depend on images. */
export async function compareRest(world: World): Promise<void> {
  await world.allSay([
    get("ops", "/v2/tasks?limit=1000"),
    get("ops", "/v2/tasks?limit=2&sort_key=updated_at&sort_dir=asc"),
    get("ops", "/v2/tasks?status=failure"),
    get("ann", "/v2/metadefs/resource_types"),
    ...(["ann", "bob", "ops"] as const).map((caller) => get(caller, "/v2/metadefs/namespaces?limit=1000")),
  ]);
  const { body } = await world.bothSay(get("ops", "/v2/tasks?limit=4"));
  const { tasks = [] } = body as { tasks?: readonly { readonly id: string }[] };
  await world.allSay(tasks.map(({ id }) => get("ops", `/v2/tasks/${id}`)));
}

export async function compareNamespace(world: World, namespace: string): Promise<void> {
  const path = `/v2/metadefs/namespaces/${encodeURIComponent(namespace)}`;
  const parts = ["objects", "properties", "tags", "resource_types"].map((part) => `${path}/${part}`);
  await world.allSay([
    ...(["ann", "bob", "ops"] as const).map((caller) => get(caller, path)),
    ...parts.map((part) => get(world.pick(["ann", "ops"]), part)),
    get("ann", `${path}?resource_type=OS::Nova::Server`),
  ]);
}

const schemaNames = ["image", "images", "member", "members", "task", "tasks"];
const definitionNames = ["namespace", "resource_type", "property", "object", "tag"];
const several = (name: string) => (name === "property" ? "properties" : `${name}s`);

/** Documents that no operation changes. */
export async function compareDocuments(world: World): Promise<void> {
  const names = [
    ...schemaNames,
    ...definitionNames.flatMap((name) => [name, several(name)]).map((n) => `metadefs/${n}`),
  ];
  const places = ["/", "/versions", "/v2/info/import", "/v2/info/stores", "/v2/info/usage", "/v2/info/stores/detail"];
  await world.allSay([...names.map((name) => `/v2/schemas/${name}`), ...places].map((path) => get("ann", path)));
  await world.bothSay(get("ops", "/v2/info/stores/detail"));
}

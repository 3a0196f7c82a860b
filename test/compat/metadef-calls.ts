// Calls of the metadata definitions' API, good and bad, whose answers are compared with the reference's.

export type Call = {
  readonly method: string;
  /** Below /v2. */
  readonly path: string;
  readonly token: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Our status, where the reference fails (500), accepts what it cannot read again, or loses what it was given. */
  readonly better?: number;
};

const admin = "root:ops:admin,member,reader";
const own = "u:p1:member,reader";
const other = "u:p2:member,reader";

const namespaces = "/metadefs/namespaces";
const cars = `${namespaces}/Cars`;
type More = Omit<Partial<Call>, "method" | "path" | "body">;
const call = (method: string, path: string, body?: unknown, more: More = {}): Call => ({
  method,
  path,
  token: admin,
  ...(body === undefined ? {} : { body }),
  ...more,
});
const get = (path: string, more: More = {}) => call("GET", path, undefined, more);
const post = (path: string, body?: unknown, more: More = {}) => call("POST", path, body, more);
const put = (path: string, body?: unknown, more: More = {}) => call("PUT", path, body, more);
const remove = (path: string, more: More = {}) => call("DELETE", path, undefined, more);
const refused = (body: unknown) => post(namespaces, body, { better: 400 });
const property = { title: "T", type: "string" };
const long = "x".repeat(81);

const reading: readonly Call[] = [
  get(`${namespaces}?limit=100&sort_key=namespace&sort_dir=asc`, { token: own }),
  get(`${namespaces}?limit=3&sort_key=namespace`),
  get(`${namespaces}?limit=3&sort_key=namespace&marker=OS::Software::Runtimes`),
  get(`${namespaces}?limit=100&sort_key=display_name&sort_dir=asc&visibility=public`),
  get(`${namespaces}?limit=100&sort_key=namespace&visibility=private`),
  get(`${namespaces}?limit=100&sort_key=namespace&resource_types=OS::Nova::Aggregate,OS::Trove::Instance`),
  get(`${namespaces}?limit=100&resource_types=none`),
  get(`${namespaces}?limit=0`),
  get(`${namespaces}?limit=-1`),
  get(`${namespaces}?limit=x`, { better: 400 }),
  get(`${namespaces}?sort_key=nothing`, { better: 400 }),
  get(`${namespaces}?sort_dir=up`),
  get(`${namespaces}?visibility=shared`),
  get(`${namespaces}?marker=nothing`),
  get(`${namespaces}/OS::Compute::Hypervisor`, { token: own }),
  get(`${namespaces}/OS::Compute::XenAPI?resource_type=OS::Nova::Flavor`),
  get(`${namespaces}/CIM::ProcessorAllocationSettingData?resource_type=OS::Glance::Image`),
  get(`${namespaces}/OS::Compute::AggregateIoOpsFilter`),
  get(`${namespaces}/OS::Compute::Hypervisor/properties`),
  get(`${namespaces}/OS::Compute::Hypervisor/properties/hypervisor_type`, { token: own }),
  get(`${namespaces}/OS::Compute::Hypervisor/properties/nothing`),
  get(`${namespaces}/OS::Compute::Hypervisor/resource_types`),
  get(`${namespaces}/OS::Compute::Hypervisor/objects`),
  get(`${namespaces}/OS::Compute::Hypervisor/tags`),
  get(`${namespaces}/OS::Compute::Nothing/tags`),
  get("/metadefs/resource_types", { token: own }),
];

const making: readonly Call[] = [
  post(namespaces, { namespace: "Cars", owner: "p1", protected: true, description: "d", display_name: "Ä" }),
  post(namespaces, { namespace: "Cars" }),
  post(`${cars}/properties`, { name: "wheels", ...property, type: "integer", minimum: 3, enum: ["a"], readonly: true }),
  post(`${cars}/properties`, { name: "wheels", ...property }),
  post(`${cars}/properties`, { name: "doors", title: "ü", type: "array", items: { type: "string", enum: ["a"] } }),
  post(`${cars}/properties`, { name: "one", ...property, default: "4", pattern: "^[", operators: ["<or>"] }),
  post(`${cars}/objects`, { name: "engine" }),
  post(`${cars}/objects`, { name: "engine" }),
  post(`${cars}/objects`, { name: "gear", required: ["a", "b"], description: "d", properties: { a: property } }),
  post(`${cars}/resource_types`, { name: "Road" }),
  post(`${cars}/resource_types`, { name: "Road" }),
  post(`${cars}/resource_types`, { name: "Track", prefix: "t_", properties_target: "image" }),
  post(`${cars}/tags/red`),
  post(`${cars}/tags/red`),
  post(`${cars}/tags`, { tags: [{ name: "v" }, { name: "w" }] }),
  post(`${cars}/tags`, { tags: [{ name: "x" }] }, { headers: { "X-Openstack-Append": "True" } }),
  post(`${cars}/tags`, { tags: [{ name: "x" }] }, { headers: { "X-Openstack-Append": "yes" } }),
  post(`${cars}/tags`, { tags: [{ name: "y" }, { name: "y" }] }),
  get(`${cars}/tags`),
  get(`${cars}/tags?sort_key=name&sort_dir=asc&limit=2`),
  get(`${cars}/tags?sort_key=name&sort_dir=asc&marker=v`),
  get(`${cars}/tags?marker=nothing`),
  get(`${cars}/tags?sort_dir=up`),
  get(`${cars}/tags/v`),
  get(`${cars}/tags/nothing`),
  get(cars),
  get(`${cars}?resource_type=Track`),
  get(`${cars}/objects/gear`),
  get(`${cars}/properties/t_wheels?resource_type=Track`),
  get(`${cars}/properties/wheels?resource_type=Track`),
  get(`${cars}/properties/wheels?resource_type=Road`),
  get(`${cars}/properties/wheels?resource_type=Nothing`),
  get(`${cars}/objects?limit=0`),
];

const refusing: readonly Call[] = [
  ...[own, other, "u:none:member,reader"].flatMap((token) => [
    get(cars, { token }),
    get(`${cars}/tags/v`, { token }),
    get(`${cars}/objects`, { token }),
    get(`${cars}/properties/wheels`, { token }),
    get(`${cars}/resource_types`, { token }),
    post(namespaces, { namespace: "Mine" }, { token }),
    put(cars, { namespace: "Cars" }, { token }),
    remove(cars, { token }),
    post(`${cars}/tags/t`, undefined, { token }),
    post(`${cars}/tags`, { tags: [] }, { token }),
    put(`${cars}/tags/v`, { name: "t" }, { token }),
    remove(`${cars}/tags/v`, { token }),
    remove(`${cars}/tags`, { token }),
    post(`${cars}/objects`, { name: "o" }, { token }),
    put(`${cars}/objects/gear`, { name: "o" }, { token }),
    remove(`${cars}/objects/gear`, { token }),
    post(`${cars}/properties`, { name: "o", ...property }, { token }),
    remove(`${cars}/properties/wheels`, { token }),
    post(`${cars}/resource_types`, { name: "R" }, { token }),
    remove(`${cars}/resource_types/Road`, { token }),
  ]),
  ...["", "/tags", "/tags/v", "/objects", "/objects/gear", "/properties", "/properties/wheels"].map((path) =>
    remove(cars + path),
  ),
  remove(`${cars}/resource_types/Road`),
  remove(`${cars}/resource_types/Nothing`),
  remove(`${cars}/tags/nothing`),
  remove(`${namespaces}/Nothing`),
  post(namespaces, {}),
  post(namespaces),
  refused([]),
  post(namespaces, { namespace: long }),
  post(namespaces, { namespace: 1 }),
  post(namespaces, { namespace: "n", description: "x".repeat(501) }),
  post(namespaces, { namespace: "n", owner: "x".repeat(256) }),
  post(namespaces, { namespace: "n", visibility: "shared" }),
  post(namespaces, { namespace: "n", protected: "yes" }),
  post(namespaces, { namespace: "n", display_name: null }),
  post(namespaces, { namespace: "n", foo: 1 }),
  post(namespaces, { namespace: "n", self: "x" }),
  post(namespaces, { namespace: "n", created_at: "x" }),
  post(namespaces, { namespace: "n", properties: { p: { type: "string" } } }),
  post(namespaces, { namespace: "n", properties: [] }),
  post(namespaces, { namespace: "n", tags: [{ name: "a" }, { name: "a" }] }),
  get(`${namespaces}/n`),
  refused({ namespace: "" }),
  refused({ namespace: "a/b" }),
  refused({ namespace: "n", objects: [{ description: "d" }] }),
  refused({ namespace: "n", objects: [{ name: "o", extra: 1 }] }),
  refused({ namespace: "n", tags: [{}] }),
  refused({ namespace: "n", resource_type_associations: [{}] }),
  refused({ namespace: "n", properties: { p: { ...property, foo: 1 } } }),
  post(`${cars}/properties`, { name: long, ...property }),
  post(`${cars}/properties`, { ...property }),
  post(`${cars}/properties`, { name: "p", title: "t" }),
  post(`${cars}/properties`, { name: "p", title: "t", type: "text" }),
  post(`${cars}/properties`, { name: "p", ...property, maxLength: -1 }),
  post(`${cars}/properties`, { name: "p", ...property, foo: 1 }),
  post(`${cars}/properties`, { name: "p", ...property, created_at: "x" }),
  post(`${cars}/properties`, { name: "p", ...property, enum: [1] }, { better: 400 }),
  post(`${cars}/properties`, { name: "p", ...property, required: ["a"] }, { better: 400 }),
  // What the reference takes stays there, where nothing else is looked at.
  post(namespaces, { namespace: "Bad" }),
  post(`${namespaces}/Bad/objects`, { name: "o", required: ["a,b"] }, { better: 400 }),
  post(`${cars}/objects`, { name: "o", properties: { p: { ...property, zz: 1 } } }),
  post(`${cars}/objects`, { name: long }),
  post(`${cars}/objects`, { name: "o", self: "x" }),
  post(`${cars}/tags`, {}, { better: 400 }),
  post(`${cars}/tags`, { tags: [{ name: "a", b: 1 }] }),
  post(`${namespaces}/Bad/tags`, { tags: [{ name: long }] }, { better: 400 }),
  post(`${cars}/tags/${long}`),
  post(`${cars}/tags/t`, {}),
  put(`${cars}/tags/v`, { name: "t", created_at: "x" }),
  post(`${cars}/resource_types`, { name: "R", prefix: null }),
  post(`${cars}/resource_types`, { name: "R", created_at: "x" }),
  put(`${cars}/resource_types/Road`, {}),
  call("PATCH", cars, {}),
];

const changing: readonly Call[] = [
  put(`${cars}/tags/v`, { name: "vv" }),
  put(`${cars}/tags/vv`, { name: "w" }),
  put(`${cars}/tags/nothing`, { name: "w" }),
  put(`${cars}/objects/gear`, { name: "gear2", properties: { b: property } }),
  put(`${cars}/objects/gear2`, { name: "engine" }),
  put(`${cars}/objects/nothing`, { name: "engine" }),
  put(`${cars}/properties/one`, { name: "two", ...property }),
  put(`${cars}/properties/two`, { name: "doors", ...property }),
  put(cars, { namespace: "Cars", self: "x" }),
  put(cars, { namespace: "OS::Compute::Hypervisor" }),
  put(cars, { namespace: "Cars2", tags: [{ name: "ignored" }] }),
  get(cars),
  get(`${cars}2`),
  put(`${cars}2`, { namespace: "Cars", visibility: "public", owner: "p1" }),
  get(cars, { token: other }),
  post(`${cars}/tags/t`, undefined, { token: other }),
  get(`${namespaces}?visibility=public&sort_key=created_at&limit=1`, { token: other }),
  remove(`${cars}/tags/w`),
  remove(`${cars}/tags`),
  get(`${cars}/tags`),
  remove(`${cars}/objects/engine`),
  remove(`${cars}/objects`),
  remove(`${cars}/properties/doors`),
  remove(`${cars}/properties`),
  remove(`${cars}/resource_types/Track`),
  get(cars),
  post(namespaces, {
    namespace: "All",
    properties: { p: { ...property, default: "x" } },
    resource_type_associations: [{ name: "Road", prefix: "r_" }],
    tags: [{ name: "t" }],
  }),
  get(`${namespaces}/All`),
  get("/metadefs/resource_types"),
  remove(`${namespaces}/All`),
  remove(cars),
  get(cars),
  get("/metadefs/resource_types"),
];

export const calls: readonly Call[] = [...reading, ...making, ...refusing, ...changing];

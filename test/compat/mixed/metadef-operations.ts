// Random things that are done to metadata definitions. Each returns the namespace it touched.
import type { Asked } from "./exchange.ts";
import { isOk, type World } from "./world.ts";

type Definition = (world: World, path: string) => Asked;

const names = ["n1", "n2", "N1", "a.b"];
const asOps = (method: string, path: string, body?: unknown): Asked => ({
  caller: "ops",
  method,
  path,
  ...(body === undefined ? {} : { body }),
});
const part = (world: World, path: string, kind: string) => `${path}/${kind}/${encodeURIComponent(world.pick(names))}`;
const property = (world: World) => ({
  title: "t",
  type: world.pick(["string", "integer", "boolean", "array"]),
  ...(world.chance(2) ? { description: "ü", readonly: true } : {}),
  ...(world.chance(3) ? { enum: ["a", "b"], default: "a", operators: ["<or>"] } : {}),
});

const definitions: readonly Definition[] = [
  (world, path) =>
    asOps("POST", `${path}/objects`, { name: world.pick(names), required: ["p"], properties: { p: property(world) } }),
  (world, path) => asOps("PUT", part(world, path, "objects"), { name: world.pick(names), description: "later" }),
  (world, path) => asOps("DELETE", part(world, path, "objects")),
  (world, path) => asOps("POST", `${path}/properties`, { name: world.pick(names), ...property(world) }),
  (world, path) => asOps("PUT", part(world, path, "properties"), { name: world.pick(names), ...property(world) }),
  (world, path) => asOps("DELETE", part(world, path, "properties")),
  (world, path) => asOps("POST", part(world, path, "tags")),
  (_, path) => asOps("POST", `${path}/tags`, { tags: [{ name: "t1" }, { name: "t2" }] }),
  (world, path) => asOps("DELETE", part(world, path, "tags")),
  (world, path) =>
    asOps("POST", `${path}/resource_types`, { name: world.pick(["OS::Nova::Server", "Own"]), prefix: "p_" }),
  (_, path) => asOps("DELETE", `${path}/resource_types/Own`),
  (world, path) => asOps("DELETE", `${path}/${world.pick(["objects", "properties", "tags"])}`),
  (world, path) =>
    asOps("PUT", path, {
      namespace: decodeURIComponent(path.split("/").at(-1) ?? ""),
      display_name: world.pick(["D", "Ü"]),
      visibility: world.pick(["public", "private"]),
      protected: world.chance(4),
    }),
];

export async function define(world: World): Promise<string> {
  if (world.namespaces.length < 2 || world.chance(15)) {
    // The reference does not find again what has characters beyond ASCII, and links to what has blanks as it is: docs/mixed-fleet.md.
    const namespace = `ns${world.below(1_000_000)}`;
    const visibility = world.pick(["public", "private"]);
    const body = { namespace, visibility, description: "d", owner: world.pick(["red", "yard"]) };
    const made = await world.attempt("namespace", asOps("POST", "/v2/metadefs/namespaces", body));
    if (isOk(made)) world.namespaces.push(namespace);
    return namespace;
  }
  const namespace = world.pick(world.namespaces);
  const path = `/v2/metadefs/namespaces/${encodeURIComponent(namespace)}`;
  const asked = world.pick(definitions)(world, path);
  const caller = world.chance(6) ? "ann" : asked.caller;
  await world.attempt("definition", { ...asked, caller });
  if (world.chance(12)) await world.attempt("namespace removed", asOps("DELETE", path));
  return namespace;
}

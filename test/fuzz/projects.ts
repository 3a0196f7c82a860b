// Whose data there is: callers, and what project `keeper` has that nobody else may learn of or touch.
import assert from "node:assert/strict";
import type { Database } from "../../src/db/database.ts";
import type { FuzzedNode } from "./service.ts";

/** By how often they call. */
export const callers = [
  { token: "u:intruder:member", weight: 24, trusted: false },
  { token: "u:intruder:reader", weight: 3, trusted: false },
  { token: "u:guest:member", weight: 9, trusted: false },
  { token: "s:intruder:service", weight: 4, trusted: false },
  { token: "root:ops:admin", weight: 20, trusted: true },
  { token: "nonsense", weight: 1, trusted: false },
  { token: "", weight: 1, trusted: false },
] as const;
/** Sees and changes everything, so it is never given a name of the keeper's. */
export type CallerOf = (typeof callers)[number];

/** No answer to a caller who is not trusted has one of these, unless the request said it. */
const mark = "k33per";

export type Kept = {
  /** Of private images. */
  readonly imageIds: readonly string[];
  readonly namespaces: readonly string[];
  /** Texts that stand in answers about private data and nowhere else; that an image has this id anybody may have guessed and written down. */
  readonly marks: readonly string[];
  /** Everything of it, as rows. */
  snapshot(): Promise<unknown>;
};

const keeper = { "x-auth-token": "u:keeper:member" };

/** Ids of images that callers begin with, some with data. */
export const firstImages = Array.from(
  { length: 12 },
  (_, number) => `f1f1f1f1-0000-4000-8000-0000000000${10 + number}`,
);

/** Something of the callers' own: requests on nothing would all end in 404. */
async function beginWith({ port }: FuzzedNode): Promise<void> {
  const headers = { "x-auth-token": "root:ops:admin" };
  const call = async (method: string, path: string, body: string | object, type = "application/json") => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const init = { method, headers: { ...headers, "content-type": type }, body: text };
    const response = await fetch(`http://127.0.0.1:${port}/v2${path}`, init);
    assert(response.ok, `${method} ${path}: ${response.status} ${await response.text()}`);
  };
  const visibilities = ["shared", "private", "public", "community"];
  for (const [number, id] of firstImages.entries()) {
    const owner = ["intruder", "guest", "intruder"][number % 3];
    const visibility = visibilities[number % visibilities.length];
    await call("POST", "/images", { id, owner, visibility, disk_format: "raw", container_format: "bare", tags: ["t"] });
    if (number % 2 === 1) await call("PUT", `/images/${id}/file`, `data ${number}`, "application/octet-stream");
    if (visibility === "shared")
      await call("POST", `/images/${id}/members`, { member: number === 4 ? "intruder" : "guest" });
  }
  for (const [namespace, owner] of [
    ["N", "ops"],
    ["M", "intruder"],
  ] as const)
    await call("POST", "/metadefs/namespaces", {
      namespace,
      owner,
      visibility: "public",
      objects: [{ name: "o" }],
      properties: { p: { title: "P", type: "string" } },
      tags: [{ name: "t" }],
      resource_type_associations: [{ name: "T" }],
    });
}

/** Made by way of the newest node. */
export async function keep(node: FuzzedNode, db: Database): Promise<Kept> {
  const call = async (method: string, path: string, body: unknown, type = "application/json", token = keeper) => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const headers = { ...token, "content-type": type };
    const response = await fetch(`http://127.0.0.1:${node.port}/v2${path}`, { method, headers, body: text });
    assert(response.ok, `${method} ${path}: ${response.status} ${await response.text()}`);
  };
  const idOf = (number: number) => `5ec4e700-0000-4000-8000-00000000000${number}`;
  const imageIds = [0, 1, 2].map(idOf);
  for (const [number, id] of imageIds.entries()) {
    await call("POST", "/images", {
      id,
      name: `${mark}-name-${number}`,
      visibility: "private",
      disk_format: "raw",
      container_format: "bare",
      tags: [`${mark}-tag`],
      [`${mark}_property`]: `${mark}-value`,
    });
    if (number > 0) await call("PUT", `/images/${id}/file`, `${mark} data ${number}`, "application/octet-stream");
  }
  // What others may see, some of it: something to ask for.
  const shared = "5ec4e700-0000-4000-8000-000000000010";
  await call("POST", "/images", { id: shared, name: "shared", disk_format: "raw", container_format: "bare" });
  await call("POST", `/images/${shared}/members`, { member: "guest" });
  const namespace = `${mark}-namespace`;
  const admin = { "x-auth-token": "root:ops:admin" };
  const content = {
    namespace,
    owner: "keeper",
    visibility: "private",
    objects: [{ name: `${mark}-object` }],
    properties: { [`${mark}-definition`]: { title: "t", type: "string" } },
    tags: [{ name: `${mark}-word` }],
  };
  await call("POST", "/metadefs/namespaces", content, "application/json", admin);
  await beginWith(node);
  const ids = imageIds.map((id) => `'${id}'`).join(", ");
  return {
    imageIds,
    namespaces: [namespace],
    marks: [mark, ...imageIds.flatMap((id) => [`"id":"${id}"`, `"image_id":"${id}"`, `/v2/images/${id}`])],
    snapshot: async () => [
      await db.query(`select * from images where id in (${ids}) order by id`),
      ...(await Promise.all(
        ["image_properties", "image_tags", "image_members", "image_locations"].map((table) =>
          db.query(`select * from ${table} where image_id in (${ids}) order by id`),
        ),
      )),
      await db.query("select * from metadef_namespaces where namespace = ?", [namespace]),
      await db.query("select name from metadef_objects where name like ? order by name", [`${mark}%`]),
    ],
  };
}

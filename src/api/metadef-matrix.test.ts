// Roles x relation x visibility x call on metadata definitions, at Newton, whose namespaces are their owner's to change, at Wallaby, and at
// the newest release, whose rules alone decide; against tables that were written from the reference's rules.
import assert from "node:assert/strict";
import { test } from "node:test";
import { newestRelease, type ReleaseId } from "../releases/catalogue.ts";
import { startApi, type TestApi } from "./testing/api-server.ts";

const roles = ["auditor", "reader", "member", "admin"] as const;
const relations = ["owner", "stranger", "projectless"] as const;
type Situation = {
  readonly role: (typeof roles)[number];
  readonly relation: (typeof relations)[number];
  readonly visibility: "public" | "private";
};
const projects = { owner: "own", stranger: "far", projectless: "none" } as const;
const root = "root:ops:admin";

type Call = { readonly method: string; readonly path: string; readonly body?: unknown; readonly ok: number };
const property = { title: "T", type: "string" };
const reads: readonly Call[] = ["", "/objects", "/objects/o", "/properties", "/properties/p", "/tags", "/tags/t"]
  .concat("/resource_types", "/properties/p?resource_type=")
  .map((path) => ({ method: "GET", path, ok: 200 }));
const writes: readonly Call[] = [
  { method: "PUT", path: "", body: { namespace: "N", owner: "own" }, ok: 200 },
  { method: "POST", path: "/objects", body: { name: "new" }, ok: 201 },
  { method: "PUT", path: "/objects/o", body: { name: "o" }, ok: 200 },
  { method: "POST", path: "/properties", body: { name: "new", ...property }, ok: 201 },
  { method: "PUT", path: "/properties/p", body: { name: "p", ...property }, ok: 200 },
  { method: "POST", path: "/tags", body: { tags: [] }, ok: 201 },
  { method: "POST", path: "/tags/new", ok: 201 },
  { method: "PUT", path: "/tags/t", body: { name: "t" }, ok: 200 },
  { method: "POST", path: "/resource_types", body: { name: "new" }, ok: 201 },
  ...["/objects/o", "/objects", "/properties/p", "/properties", "/tags/t", "/tags", "/resource_types/R", ""].map(
    (path) => ({ method: "DELETE", path, ok: 204 }),
  ),
];

async function send(api: TestApi, token: string, { method, path, body }: Omit<Call, "ok">): Promise<number> {
  const response = await fetch(`${api.url}/v2/metadefs/namespaces${path}`, {
    method,
    headers: { "x-auth-token": token },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  await response.arrayBuffer();
  return response.status;
}

async function compare(release: ReleaseId, expect: (situation: Situation, writes: boolean) => number | "ok") {
  await using api = await startApi({ flavor: "fakeauth", release });
  let compared = 0;
  for (const visibility of ["public", "private"] as const)
    for (const role of roles)
      for (const relation of relations)
        for (const call of [...reads, ...writes]) {
          await send(api, root, { method: "DELETE", path: "/N" });
          const body = {
            namespace: "N",
            visibility,
            owner: "own",
            objects: [{ name: "o" }],
            properties: { p: property },
            tags: [{ name: "t" }],
            resource_type_associations: [{ name: "R" }],
          };
          assert.equal(await send(api, root, { method: "POST", path: "", body }), 201);
          const situation = { visibility, role, relation };
          const expected = expect(situation, writes.includes(call));
          const status = await send(api, `u:${projects[relation]}:${role}`, { ...call, path: `/N${call.path}` });
          const what = `${release}: ${call.method} ${call.path} as ${JSON.stringify(situation)}`;
          assert.equal(status, expected === "ok" ? call.ok : expected, what);
          compared++;
        }
  assert.equal(compared, 2 * roles.length * relations.length * (reads.length + writes.length));
}

const seesRow = ({ role, relation, visibility }: Situation) =>
  role === "admin" || relation === "owner" || visibility === "public";

test("metadef matrix: at the newest release readers read their own and what is public, and admins write", () =>
  compare(newestRelease.id, (situation, isWrite) => {
    const { role } = situation;
    // Admins and members are readers; who is none may not see that there is anything.
    if (!seesRow(situation) || role === "auditor") return 404;
    return isWrite && role !== "admin" ? 403 : "ok";
  }));

test("metadef matrix: at Wallaby everybody reads, and only an admin writes", () =>
  compare("wallaby", (situation, isWrite) => {
    if (!seesRow(situation)) return 404;
    return isWrite && situation.role !== "admin" ? 403 : "ok";
  }));

for (const release of ["newton", "ussuri"] as const)
  test(`metadef matrix: at ${release} everybody reads, and the owner writes`, () =>
    compare(release, (situation, isWrite) => {
      if (!seesRow(situation)) return 404;
      return isWrite && situation.role !== "admin" && situation.relation !== "owner" ? 403 : "ok";
    }));

test("metadef matrix: making namespaces, and listing them and types of resources", async () => {
  for (const release of ["newton", "wallaby", newestRelease.id] as const) {
    await using api = await startApi({ flavor: "fakeauth", release });
    const opens = release === newestRelease.id;
    for (const role of roles)
      for (const relation of relations) {
        const token = `u:${projects[relation]}:${role}`;
        const who = `${release}: ${role}, ${relation}`;
        const admin = role === "admin";
        const mayMake = admin || (release === "newton" && relation !== "projectless");
        const namespace = `${role}-${relation}`;
        const make = (body: object) => send(api, token, { method: "POST", path: "", body });
        assert.equal(await make({ namespace }), mayMake ? 201 : 403, who);
        assert.equal(await make({ namespace: `${namespace}2`, owner: "elsewhere" }), admin ? 201 : 403, who);
        const mayList = admin || !opens || (relation !== "projectless" && role !== "auditor");
        assert.equal(await send(api, token, { method: "GET", path: "" }), mayList ? 200 : 403, who);
        assert.equal(await send(api, token, { method: "GET", path: "/../resource_types" }), mayList ? 200 : 403, who);
      }
  }
});

test("metadef policy: get_metadef_namespace refused is 404 since Xena and 403 before, and leaves namespaces out of lists", async () => {
  for (const [release, unreadable] of [
    ["wallaby", 403],
    ["xena", 404],
  ] as const) {
    const allows = (rule: string, { roles: given }: { roles: readonly string[] }) =>
      given.includes("admin") || (rule !== "context_is_admin" && rule !== "get_metadef_namespace");
    await using api = await startApi({ flavor: "fakeauth", release, policy: { allows } });
    const token = "u:own:member";
    const body = { namespace: "N", owner: "own" };
    assert.equal(await send(api, root, { method: "POST", path: "", body }), 201);
    assert.equal(await send(api, token, { method: "GET", path: "/N" }), unreadable, release);
    const listed = await fetch(`${api.url}/v2/metadefs/namespaces`, { headers: { "x-auth-token": token } });
    const { namespaces } = (await listed.json()) as { namespaces: unknown[] };
    assert.equal(namespaces.length, unreadable === 404 ? 0 : 1);
    // What its own rule allows needs no other since Xena.
    assert.equal(await send(api, token, { method: "GET", path: "/N/tags" }), unreadable === 404 ? 200 : 403);
  }
});

// The tasks API over HTTP: who may use it at which release, what it shows, and what it refuses.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { Ajv } from "ajv";
import { memoryTasks } from "../images/testing/memory-tasks.ts";
import { type ReleaseId, releaseOf } from "../releases/catalogue.ts";
import { startApi, type TestApi } from "./testing/api-server.ts";

const imageId = "11111111-1111-4111-8111-111111111111";
const as = (roles: string) => ({ "x-auth-token": `u:p1:${roles}` });

/** Oldest first. */
async function withTasks(api: TestApi, count: number): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    const id = randomUUID();
    const input = { image_id: imageId };
    const ofImage = { imageId, requestId: "req-1", userId: "u" };
    await memoryTasks(api.fixture.database).create({ id, type: "api_image_import", owner: "p1", input, ...ofImage });
    ids.push(id);
  }
  return ids;
}

async function get(
  api: TestApi,
  path: string,
  roles = "admin",
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${api.url}${path}`, { headers: { ...as(roles), accept: "application/json" } });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test("tasks: lists show stubs in pages, one task shows all there is", async () => {
  await using api = await startApi({ flavor: "fakeauth", release: "2026.1" });
  const ids = await withTasks(api, 3);
  const { body } = await get(api, "/v2/tasks?limit=2");
  const [stub] = body.tasks as Record<string, unknown>[];
  assert.deepEqual(Object.keys(stub ?? {}), [
    "id",
    "type",
    "status",
    "owner",
    "created_at",
    "updated_at",
    "self",
    "schema",
  ]);
  assert.equal(body.next, `/v2/tasks?limit=2&marker=${ids[1]}`);
  const rest = await get(api, String(body.next));
  assert.deepEqual(
    (rest.body.tasks as { id: string }[]).map(({ id }) => id),
    [ids[0]],
  );
  const one = await get(api, `/v2/tasks/${ids[0]}`);
  assert.deepEqual(one.body.input, { image_id: imageId });
  assert.deepEqual([one.body.image_id, one.body.request_id, one.body.user_id], [imageId, "req-1", "u"]);
  assert.deepEqual([one.body.message, one.body.result, "expires_at" in one.body], ["", null, false]);
});

test("tasks: bad parameters are 400, unknown tasks 404, and nobody deletes one", async () => {
  await using api = await startApi({ flavor: "fakeauth", release: "2026.1" });
  const [id = ""] = await withTasks(api, 1);
  for (const query of [
    "limit=-1",
    "limit=x",
    "marker=1",
    "status=done",
    "type=api_image_import",
    "sort_key=x",
    "sort_dir=up",
  ])
    assert.equal((await get(api, `/v2/tasks?${query}`)).status, 400, query);
  assert.equal((await get(api, "/v2/tasks?limit=0&unknown=1")).status, 200);
  assert.equal((await get(api, `/v2/tasks/${randomUUID()}`)).status, 404);
  assert.equal((await get(api, `/v2/tasks/${"x".repeat(100)}`)).status, 404);
  const deleted = await fetch(`${api.url}/v2/tasks/${id}`, { method: "DELETE", headers: as("admin") });
  assert.deepEqual([deleted.status, deleted.headers.get("allow")], [405, "GET"]);
});

for (const release of ["newton", "ocata", "pike", "queens", "2026.1"] satisfies ReleaseId[])
  test(`tasks: they are an admin's at ${release}`, async () => {
    await using api = await startApi({ flavor: "fakeauth", release });
    const [id = ""] = await withTasks(api, 1);
    for (const path of ["/v2/tasks", `/v2/tasks/${id}`]) {
      assert.equal((await get(api, path)).status, 200);
      assert.equal((await get(api, path, "member")).status, 403);
    }
    const early = releaseOf(release).capabilities.policy.tasksAccessRule;
    assert.equal((await get(api, "/v2/tasks?limit=-1", "member")).status, early ? 403 : 400);
  });

test("tasks: those of an image are for whoever sees the image and owns them, from Wallaby on", async () => {
  await using api = await startApi({ flavor: "fakeauth", release: "wallaby" });
  const body = JSON.stringify({ id: imageId });
  await fetch(`${api.url}/v2/images`, { method: "POST", headers: as("member"), body });
  const [id] = await withTasks(api, 1);
  const { status, body: shown } = await get(api, `/v2/images/${imageId}/tasks`, "member");
  assert.equal(status, 200);
  const [row] = shown.tasks as Record<string, unknown>[];
  assert.equal(row?.id, id);
  assert.match(String(row?.created_at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
  assert.deepEqual([row?.expires_at, row?.deleted], [null, false]);
  const other = { headers: { "x-auth-token": "u:p2:member" } };
  assert.equal((await fetch(`${api.url}/v2/images/${imageId}/tasks`, other)).status, 404);
  await using older = await startApi({ flavor: "fakeauth", release: "victoria" });
  assert.equal((await get(older, `/v2/images/${imageId}/tasks`)).status, 404);
});

test("tasks: the schema that is served allows those of older nodes and of callers without a project: the glance client holds tasks against it", async () => {
  await using api = await startApi({ flavor: "fakeauth", release: "2026.1" });
  const id = randomUUID();
  const unknown = { owner: null, imageId: null, requestId: null, userId: null };
  await memoryTasks(api.fixture.database).create({ id, type: "import", input: null, ...unknown });
  const { body: task } = await get(api, `/v2/tasks/${id}`);
  const { body: schema } = await get(api, "/v2/schemas/task");
  const validate = new Ajv({ strict: false }).compile(schema);
  assert(validate(task), JSON.stringify(validate.errors));
});

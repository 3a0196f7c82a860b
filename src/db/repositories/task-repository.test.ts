// Tasks in real databases: written and read alike at releases with and without the columns of images, paged by key, forgotten in time.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { isServiceError } from "../../core/errors.ts";
import type { TaskDraft, TaskQuery } from "../../images/tasks/task.ts";
import { testOnDatabases } from "../testing/databases.ts";
import { admin, newest, newton, project } from "../testing/images.ts";
import { createTaskRepository } from "./task-repository.ts";
import { endTask, touchTask } from "./task-rows.ts";

const startMs = Date.UTC(2026, 10, 23, 5);
const draft = (changes: Partial<TaskDraft> = {}): TaskDraft => ({
  id: randomUUID(),
  type: "import",
  owner: "alice",
  input: { import_from: "http://example/ä" },
  imageId: randomUUID(),
  requestId: "req-1",
  userId: "u",
  ...changes,
});
const query = (changes: Partial<TaskQuery> = {}): TaskQuery => ({
  viewer: project("alice"),
  sort: { key: "created_at", direction: "desc" },
  limit: 10,
  ...changes,
});

/** Stands until it is moved. */
const clockAt = (state: { nowMs: number }) => ({
  nowMs: () => state.nowMs,
  monotonicMs: () => state.nowMs,
  sleep: async () => undefined,
});

for (const [state, capabilities] of [
  ["newton", newton],
  ["newest", newest],
] as const) {
  testOnDatabases("tasks: what is written is read again, by its project and by admins", state, async ({ db }) => {
    const tasks = createTaskRepository(db, capabilities, clockAt({ nowMs: startMs }));
    const made = await tasks.create(draft());
    assert.deepEqual(await tasks.find(made.id, project("alice")), made);
    assert.deepEqual(await tasks.find(made.id, admin), made);
    assert.equal(await tasks.find(made.id, project("bob")), undefined);
    assert.equal(made.imageId === null, capabilities === newton, "as the release has columns for it");
    const unowned = await tasks.create(draft({ owner: null }));
    assert.deepEqual(await tasks.find(unowned.id, project(null)), unowned);
    if (capabilities.tasksOfImages) {
      assert.deepEqual(await tasks.ofImage(made.imageId ?? "", project("alice")), [made]);
      assert.deepEqual(await tasks.ofImage(made.imageId ?? "", project("bob")), []);
    }
  });
}

testOnDatabases("tasks: pages by key, in either direction and by what may be NULL", "newest", async ({ db }) => {
  const time = { nowMs: startMs };
  const tasks = createTaskRepository(db, newest, clockAt(time));
  const ids: string[] = [];
  for (let n = 0; n < 7; n++) {
    // Some share a second.
    time.nowMs = startMs + Math.floor(n / 2) * 1_000;
    ids.push((await tasks.create(draft())).id);
  }
  const at = (seconds: number) => db.dialect.encodeTime(new Date(startMs + seconds * 1_000).toISOString());
  for (const [n, id] of ids.slice(0, 3).entries())
    await endTask(db, id, { status: "success", result: null, message: "" }, { now: at(9), expiresAt: at(3_600 + n) });
  await tasks.create(draft({ owner: "bob" }));
  for (const key of ["created_at", "expires_at", "status", "id"] as const)
    for (const direction of ["asc", "desc"] as const) {
      const whole = await tasks.list(query({ sort: { key, direction }, limit: 100 }));
      assert.deepEqual(whole.map(({ id }) => id).sort(), [...ids].sort());
      const paged: string[] = [];
      for (let marker: string | undefined; ; marker = paged.at(-1)) {
        const page = await tasks.list(query({ sort: { key, direction }, limit: 2, ...(marker ? { marker } : {}) }));
        paged.push(...page.map(({ id }) => id));
        if (page.length < 2) break;
      }
      assert.deepEqual(
        paged,
        whole.map(({ id }) => id),
        `${key} ${direction}`,
      );
    }
  // As in the reference: what is equal by its key comes by age.
  const ages = new Map(ids.map((id, n) => [id, Math.floor(n / 2)]));
  for (const key of ["status", "type", "id"] as const) {
    const pending = await tasks.list(query({ sort: { key, direction: "asc" }, status: "pending" }));
    const listed = pending.map(({ id }) => ages.get(id));
    assert.deepEqual(listed, [1, 2, 2, 3], key);
  }
  const finished = await tasks.list(query({ status: "success" }));
  assert.deepEqual(finished.map(({ id }) => id).sort(), ids.slice(0, 3).sort());
  await assert.rejects(tasks.list(query({ viewer: project("bob"), marker: ids[0] ?? "" })), (error) =>
    isServiceError(error, "images.bad_query"),
  );
});

testOnDatabases("tasks: worked on, ended once, and gone when their time is over", "newest", async ({ db }) => {
  const time = { nowMs: startMs };
  const tasks = createTaskRepository(db, newest, clockAt(time));
  const { id } = await tasks.create(draft());
  const at = (seconds: number) => db.dialect.encodeTime(new Date(startMs + seconds * 1_000).toISOString());
  assert.equal(await touchTask(db, id, at(1)), true);
  assert.equal((await tasks.find(id, admin))?.status, "processing");
  const times = { now: at(2), expiresAt: at(60) };
  await endTask(db, id, { status: "failure", result: null, message: "Why." }, times);
  await endTask(db, id, { status: "success", result: { image_id: "x" }, message: "" }, times);
  const ended = await tasks.find(id, admin);
  assert.deepEqual([ended?.status, ended?.message, ended?.result], ["failure", "Why.", null]);
  assert.equal(ended?.expiresAt, "2026-11-23T05:01:00Z");
  assert.equal(await touchTask(db, id, at(3)), false, "an ended task is not taken up again");
  time.nowMs = startMs + 60_000;
  assert.equal(await tasks.find(id, admin), undefined);
  // Somebody else's list leaves the row alone.
  assert.deepEqual(await tasks.list(query({ viewer: project("bob") })), []);
  const deleted = async () =>
    Boolean((await db.query<{ deleted: unknown }>("select deleted from tasks where id = ?", [id]))[0]?.deleted);
  assert.equal(await deleted(), false);
  assert.deepEqual(await tasks.list(query()), []);
  assert.equal(await deleted(), true);
});

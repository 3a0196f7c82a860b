// Staging and import in real databases: the status machine under leases, locks and tasks.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { ImportLease, ImportStart } from "../../images/import/import-repository.ts";
import { testOnDatabases } from "../testing/databases.ts";
import { admin, draft, newest, nodeOf, ocata } from "../testing/images.ts";
import { createImportRepository } from "./import-repository.ts";
import { createTaskRepository } from "./task-repository.ts";

const lease = (imageId: string, changes: Partial<ImportLease> = {}): ImportLease => ({
  imageId,
  leaseId: "worker",
  node: "n1",
  taskId: null,
  givesBack: "queued",
  urls: [],
  ...changes,
});
const startOf = (imageId: string, from: ImportStart["from"], leaseId = "worker"): ImportStart => {
  const taskId = randomUUID();
  return {
    lease: { ...lease(imageId, { leaseId, givesBack: from, urls: [`file:///a/${imageId}`] }), taskId },
    from,
    task: {
      id: taskId,
      type: "api_image_import",
      owner: "alice",
      input: { image_id: imageId },
      imageId,
      requestId: "req-1",
      userId: "u",
    },
    progress: { importing: ["a"], failed: [] },
  };
};
const data = { sizeBytes: 5, checksum: "d41d8cd98f00b204e9800998ecf8427e", hash: null, virtualSizeBytes: 5 };
const done = { status: "success", result: { image_id: "i" }, message: "" } as const;
const failed = { status: "failure", result: null, message: "Why." } as const;

testOnDatabases(
  "imports: staged, imported, active, and nothing of it is left but the task",
  "newest",
  async ({ db }) => {
    const imports = createImportRepository(db, newest, { taskLifeHours: 1 });
    const tasks = createTaskRepository(db, newest);
    const { images } = nodeOf(db, newest);
    const { id } = await images.create(draft());
    assert.equal(await imports.beginStaging(lease(id), 60), true);
    assert.equal(await imports.beginStaging(lease(id, { leaseId: "second" }), 60), false);
    assert.equal((await imports.beginImport(startOf(id, "uploading"), 60)).state, "locked", "it is still being staged");
    assert.equal((await images.find(id, admin))?.status, "uploading", "and that was rolled back");
    assert.equal(await imports.finishStaging(lease(id), { sizeBytes: 5, stageHost: "http://n1" }), "held");
    const staged = await images.find(id, admin);
    assert.deepEqual(
      [staged?.status, staged?.sizeBytes, staged?.properties.os_glance_stage_host],
      ["uploading", 5, "http://n1"],
    );
    const start = startOf(id, "uploading");
    assert.deepEqual(await imports.beginImport(start, 60), { state: "begun" });
    assert.deepEqual(await imports.beginImport(startOf(id, "uploading", "second"), 60), { state: "wrong_status" });
    const importing = await images.find(id, admin);
    assert.equal(importing?.status, "importing");
    assert.equal(importing?.properties.os_glance_import_task, start.task.id);
    assert.equal(importing?.properties.os_glance_importing_to_stores, "a");
    assert.equal(await imports.renew(start.lease, 60), "held");
    assert.equal((await tasks.find(start.task.id, admin))?.status, "processing");
    const url = start.lease.urls[0] ?? "";
    const becomes = { diskFormat: "raw", containerFormat: "bare" };
    const last = {
      locations: [{ url, metadata: { store: "a" } }],
      data: { ...data, becomes },
      urls: [],
      progress: { importing: [], failed: [] },
      outcome: done,
    };
    assert.equal(await imports.commit({ ...start.lease, leaseId: "thief" }, last), "lease_lost");
    assert.equal(await imports.commit(start.lease, last), "held");
    const image = await images.find(id, admin);
    assert.deepEqual([image?.status, image?.sizeBytes, image?.checksum], ["active", 5, data.checksum]);
    assert.deepEqual([image?.diskFormat, image?.containerFormat], ["raw", "bare"], "it was qcow2 before");
    assert.deepEqual(image?.locations, [{ url, metadata: { store: "a" }, status: "active" }]);
    assert.deepEqual(image?.properties, { os_glance_importing_to_stores: "", os_glance_failed_import: "" });
    assert.equal((await tasks.find(start.task.id, admin))?.status, "success");
    assert.deepEqual(await db.query("select image_id from perennial_imports"), []);
  },
);

testOnDatabases(
  "imports: a lease that expired is taken over by one, and the image goes back",
  "newest",
  async ({ db }) => {
    const imports = createImportRepository(db, newest, { taskLifeHours: 1 });
    const { images } = nodeOf(db, newest);
    const { id } = await images.create(draft());
    await imports.beginStaging(lease(id), 60);
    await imports.finishStaging(lease(id), { sizeBytes: 5, stageHost: null });
    const start = startOf(id, "uploading");
    await imports.beginImport(start, -5);
    const options = { leaseSeconds: 60, rowsMax: 10 };
    const [mine, theirs] = await Promise.all([imports.reclaim("n2", options), imports.reclaim("n3", options)]);
    assert.equal(mine.length + theirs.length, 1);
    const [taken] = [...mine, ...theirs];
    assert(taken);
    assert.deepEqual([taken.givesBack, taken.urls, taken.taskId], ["uploading", start.lease.urls, start.task.id]);
    assert.equal(await imports.renew(start.lease, 60), "lease_lost");
    await imports.giveUp(start.lease, { status: "queued", failed: [], outcome: failed });
    assert.equal((await images.find(id, admin))?.status, "importing", "who lost the lease changes nothing");
    // By a node that itself imports nothing, and knows neither the properties nor the columns of later releases.
    const older = createImportRepository(db, ocata, { taskLifeHours: 1 });
    await older.giveUp(taken, { status: "uploading", failed: null, outcome: failed });
    const image = await images.find(id, admin);
    assert.deepEqual([image?.status, image?.sizeBytes], ["uploading", 5]);
    assert.deepEqual(image?.properties, { os_glance_importing_to_stores: "", os_glance_failed_import: "a" });
    assert.equal((await createTaskRepository(db, newest).find(start.task.id, admin))?.message, "Why.");
  },
);

testOnDatabases(
  "imports: a lock is honoured while its task lives, and taken over when it does not",
  "newest",
  async ({ db }) => {
    const imports = createImportRepository(db, newest, { taskLifeHours: 1 });
    const tasks = createTaskRepository(db, newest);
    const { images } = nodeOf(db, newest);
    const { id } = await images.create(draft());
    const foreign = startOf(id, "queued").task;
    // As a node of the reference leaves it: a task and the property, and no lease.
    await tasks.create(foreign);
    await images.update(id, { set: {}, properties: { set: { os_glance_import_task: foreign.id }, remove: [] } });
    const silent = async (seconds: number, status: string) => {
      const at = db.dialect.encodeTime(`${new Date(Date.now() - seconds * 1_000).toISOString().slice(0, 19)}Z`);
      await db.run("update tasks set updated_at = ?, status = ? where id = ?", [at, status, foreign.id]);
    };
    for (const [seconds, status] of [
      [3_000, "processing"],
      [7_000, "pending"],
    ] as const) {
      await silent(seconds, status);
      assert.equal((await imports.beginImport(startOf(id, "queued"), 60)).state, "locked");
    }
    assert.equal((await images.find(id, admin))?.status, "queued");
    await silent(3_700, "processing");
    assert.equal((await imports.beginImport(startOf(id, "queued"), 60)).state, "begun");
    assert.equal((await tasks.find(foreign.id, admin))?.status, "failure");
  },
);

testOnDatabases(
  "imports: deleted in the middle, the worker learns of it and still may clean up",
  "newest",
  async ({ db }) => {
    const imports = createImportRepository(db, newest, { taskLifeHours: 1 });
    const { images } = nodeOf(db, newest);
    const { id } = await images.create(draft());
    const start = startOf(id, "queued");
    await imports.beginImport(start, 60);
    await images.remove(id, { leaseId: "l", node: "n", leaseSeconds: 60 });
    assert.equal(await imports.renew(start.lease, 60), "image_gone");
    const commit = { locations: [{ url: "file:///x", metadata: {} }], data, urls: [], progress: null, outcome: done };
    assert.equal(await imports.commit(start.lease, commit), "image_gone");
    await imports.giveUp(start.lease, { status: "queued", failed: [], outcome: failed });
    assert.deepEqual(await db.query("select image_id from perennial_imports"), []);
  },
);

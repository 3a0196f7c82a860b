// Imports and staged data in memory: the leases of those under way, the properties that tell of them, and their tasks.
import type { ImportLease, ImportRepository } from "../import/import-repository.ts";
import type { LeaseState } from "../ports.ts";
import type { TaskOutcome } from "../tasks/task.ts";
import type { MemoryDatabase } from "./memory-repositories.ts";
import { memoryTasks } from "./memory-tasks.ts";

export function memoryImports(database: MemoryDatabase): ImportRepository {
  const until = (leaseSeconds: number) => database.nowMs() + leaseSeconds * 1_000;
  const stateOf = (lease: ImportLease): LeaseState => {
    if (database.importLeases.get(lease.imageId)?.leaseId !== lease.leaseId) return "lease_lost";
    const status = database.live(lease.imageId)?.status ?? "deleted";
    const wanted = lease.taskId === null ? ["uploading"] : ["importing", "active", "deactivated"];
    return wanted.includes(status) ? "held" : "image_gone";
  };
  const note = (id: string, set: Readonly<Record<string, string>>, remove: readonly string[] = []) => {
    const kept = { ...database.live(id)?.properties, ...set };
    const names = Object.keys(kept).filter((name) => !remove.includes(name));
    database.write(id, { properties: Object.fromEntries(names.map((name) => [name, kept[name] ?? null])) });
  };
  const endTask = (taskId: string | null, outcome: TaskOutcome | null) => {
    const task = database.tasks.get(taskId ?? "");
    if (task && outcome) database.tasks.set(task.id, { ...task, ...outcome, expiresAt: database.now() });
  };
  const own = ["os_glance_import_task", "os_glance_stage_host"];

  return database.guarded<ImportRepository>("imports", {
    async beginStaging(lease, leaseSeconds) {
      if (database.live(lease.imageId)?.status !== "queued") return false;
      database.write(lease.imageId, { status: "uploading" });
      database.importLeases.set(lease.imageId, { ...lease, expiresMs: until(leaseSeconds) });
      return true;
    },
    async finishStaging(lease, { sizeBytes, stageHost }) {
      const state = stateOf(lease);
      if (state !== "held") return state;
      database.write(lease.imageId, { sizeBytes });
      if (stageHost !== null) note(lease.imageId, { os_glance_stage_host: stageHost });
      database.importLeases.delete(lease.imageId);
      return state;
    },
    async beginImport({ lease, from, task, progress }, leaseSeconds) {
      if (database.live(lease.imageId)?.status !== from) return { state: "wrong_status" };
      if (database.importLeases.has(lease.imageId)) return { state: "locked" };
      if (from !== "active") database.write(lease.imageId, { status: "importing" });
      const shown = progress && {
        os_glance_importing_to_stores: progress.importing.join(","),
        os_glance_failed_import: "",
        os_glance_import_task: lease.taskId,
      };
      note(lease.imageId, shown ?? {});
      database.importLeases.set(lease.imageId, { ...lease, expiresMs: until(leaseSeconds) });
      await memoryTasks(database).create(task);
      return { state: "begun" };
    },
    async renew(lease, leaseSeconds) {
      const state = stateOf(lease);
      if (state !== "lease_lost")
        database.importLeases.set(lease.imageId, { ...lease, expiresMs: until(leaseSeconds) });
      return state;
    },
    async commit(lease, { locations, data, urls, progress, outcome }) {
      const state = stateOf(lease);
      const row = database.live(lease.imageId);
      if (state !== "held" || !row) return state;
      const present = new Set(row.locations.map(({ url }) => url));
      const added = locations.filter(({ url }) => !present.has(url)).map((one) => ({ ...one, status: "active" }));
      const hashes = data && { hashAlgorithm: data.hash?.algorithm ?? null, hashValue: data.hash?.value ?? null };
      const { sizeBytes, checksum, virtualSizeBytes } = data ?? row;
      const { becomes } = data ?? {};
      const formats = becomes && { diskFormat: becomes.diskFormat, containerFormat: becomes.containerFormat };
      database.write(lease.imageId, {
        ...(row.status === "importing" && locations.length > 0 ? { status: "active" } : {}),
        ...(data ? { sizeBytes, checksum, virtualSizeBytes, ...hashes, ...formats } : {}),
        locations: [...row.locations, ...added],
      });
      if (becomes?.properties) note(lease.imageId, becomes.properties);
      if (progress)
        note(lease.imageId, {
          os_glance_importing_to_stores: progress.importing.join(","),
          os_glance_failed_import: progress.failed.join(","),
        });
      if (outcome) note(lease.imageId, {}, own);
      endTask(lease.taskId, outcome);
      if (outcome && urls.length === 0) database.importLeases.delete(lease.imageId);
      else database.importLeases.set(lease.imageId, { ...lease, urls, expiresMs: until(60) });
      return state;
    },
    async setProperties(lease, properties) {
      const state = stateOf(lease);
      if (state === "held") note(lease.imageId, properties);
      return state;
    },
    async giveUp(lease, { status, failed, outcome }) {
      const state = stateOf(lease);
      if (state === "lease_lost") return;
      database.importLeases.delete(lease.imageId);
      endTask(lease.taskId, outcome);
      const row = database.live(lease.imageId);
      if (state === "image_gone" || !row) return;
      const waitedFor = row.properties.os_glance_importing_to_stores;
      const gone = failed?.join(",") ?? waitedFor ?? "";
      const ended = { os_glance_importing_to_stores: "", os_glance_failed_import: gone };
      note(lease.imageId, waitedFor === undefined ? {} : ended, status === "queued" ? own : own.slice(0, 1));
      if (row.status !== "importing" && row.status !== "uploading") return;
      if (row.status !== status) database.write(lease.imageId, { status });
      if (status === "queued") database.write(lease.imageId, { sizeBytes: null });
    },
    async reclaim(node, { leaseSeconds, rowsMax }) {
      const expired = [...database.importLeases.values()].filter(({ expiresMs }) => expiresMs < database.nowMs());
      return expired.slice(0, rowsMax).map(({ expiresMs: _, ...lease }, index) => {
        const taken = { ...lease, node, leaseId: `${node}-${database.now()}-${index}` };
        database.importLeases.set(lease.imageId, { ...taken, expiresMs: until(leaseSeconds) });
        return taken;
      });
    },
  });
}

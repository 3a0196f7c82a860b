// Tasks of the database in memory.
import type { Viewer } from "../ports.ts";
import type { Task, TaskRepository } from "../tasks/task.ts";
import type { MemoryDatabase } from "./memory-repositories.ts";

/** Without an end of their own: what expires is the real repository's matter. */
export function memoryTasks(database: MemoryDatabase): TaskRepository {
  const seenBy = ({ isAdmin, projectId }: Viewer) =>
    [...database.tasks.values()].reverse().filter(({ owner }) => isAdmin || owner === projectId);
  return database.guarded<TaskRepository>("tasks", {
    async create(draft) {
      const at = database.now();
      const times = { createdAt: at, updatedAt: at, expiresAt: null };
      const task: Task = { ...draft, ...times, status: "pending", result: null, message: "" };
      database.tasks.set(task.id, task);
      return task;
    },
    async find(id, viewer) {
      return seenBy(viewer).find((task) => task.id === id);
    },
    async list({ viewer, status, type, marker, limit }) {
      const seen = seenBy(viewer).filter(
        (task) => (status === undefined || task.status === status) && (type === undefined || task.type === type),
      );
      const from = marker === undefined ? 0 : seen.findIndex(({ id }) => id === marker) + 1;
      return seen.slice(from, from + limit);
    },
    async ofImage(imageId, viewer) {
      return seenBy(viewer).filter((task) => task.imageId === imageId);
    },
  });
}

// Tasks in the tables of Glance (tasks, task_info). Expired ones are marked as deleted by whoever lists, as Glance does; purge removes them.
import { type Clock, systemClock } from "../../core/clock.ts";
import { ServiceError } from "../../core/errors.ts";
import type { Viewer } from "../../images/ports.ts";
import type { TaskQuery, TaskRepository, TaskSortKey } from "../../images/tasks/task.ts";
import type { Database, SqlCondition, SqlValue } from "../database.ts";
import { behindRow, keysOfOrder } from "./keyset.ts";
import {
  insertTask,
  ownerValue,
  readTask,
  readTaskStub,
  type TaskColumns,
  taskSelect,
  taskStubSelect,
} from "./task-rows.ts";

/** Of one round; the next list goes on with the rest. */
const expiredRowsMax = 200;
const tasksOfImageMax = 1_000;
/** Where NULL sorts is said of the others. */
const mayBeNull: ReadonlySet<TaskSortKey> = new Set(["expires_at", "updated_at"]);

/** `clock` gives the times, and says what has expired, as in Glance. */
export function createTaskRepository(db: Database, columns: TaskColumns, clock: Clock = systemClock): TaskRepository {
  const { dialect } = db;
  const select = taskSelect(columns);
  const joined = "tasks t join task_info o on o.task_id = t.id";
  const timestamp = () => `${new Date(clock.nowMs()).toISOString().slice(0, 19)}Z`;
  const now = () => dialect.encodeTime(timestamp());

  const seenBy = ({ isAdmin, projectId }: Viewer): SqlCondition =>
    isAdmin ? { sql: "", params: [] } : { sql: " and t.owner = ?", params: [ownerValue(projectId)] };

  /** By their ids, so that two who list at once do not lock each other's rows in different orders. */
  async function forgetExpired(viewer: Viewer): Promise<void> {
    const at = now();
    const seen = seenBy(viewer);
    const expired = await db.query<{ id: string }>(
      `select t.id from tasks t where t.deleted = false and t.expires_at <= ?${seen.sql} order by t.id limit ${expiredRowsMax}`,
      [at, ...seen.params],
    );
    if (expired.length === 0) return;
    await db.run(
      `update tasks${dialect.byPrimaryKey} set deleted = true, deleted_at = ? where id in (${expired.map(() => "?").join(", ")}) and deleted = false`,
      [at, ...expired.map(({ id }) => id)],
    );
  }

  async function behindMarker({ marker, viewer, sort }: TaskQuery): Promise<SqlCondition> {
    if (marker === undefined) return { sql: "", params: [] };
    const seen = seenBy(viewer);
    const [row] = await db.query<Record<TaskSortKey, SqlValue>>(
      `select t.id, t.status, t.type, t.created_at, t.updated_at, t.expires_at from tasks t where t.id = ? and t.deleted = false${seen.sql}`,
      [marker, ...seen.params],
    );
    if (!row)
      throw new ServiceError("images.bad_query", `The marker ${marker} is no task that can be seen.`, {
        facts: { taskId: marker },
      });
    const keys: readonly TaskSortKey[] = keysOfOrder(sort.key);
    const behind = behindRow(keys.map((key) => ({ column: `t.${key}`, direction: sort.direction, value: row[key] })));
    return { sql: ` and ${behind.sql}`, params: behind.params };
  }

  return {
    async create(draft) {
      const createdAt = timestamp();
      await db.transaction((tx) => insertTask(tx, draft, dialect.encodeTime(createdAt), columns));
      const own = columns.tasksOfImages ? {} : { imageId: null, requestId: null, userId: null };
      const times = { createdAt, updatedAt: createdAt, expiresAt: null };
      return { ...draft, ...own, ...times, status: "pending", result: null, message: "" };
    },

    async find(id, viewer) {
      const seen = seenBy(viewer);
      const [row] = await db.query(
        `select ${select} from ${joined} where t.id = ? and t.deleted = false and (t.expires_at is null or t.expires_at > ?)${seen.sql}`,
        [id, now(), ...seen.params],
      );
      return row && readTask(row, dialect);
    },

    async list(query) {
      await forgetExpired(query.viewer);
      const { direction } = query.sort;
      const behind = await behindMarker(query);
      const seen = seenBy(query.viewer);
      const conditions = ["t.deleted = false", "(t.expires_at is null or t.expires_at > ?)"];
      const params: SqlValue[] = [now()];
      for (const [column, value] of [["status", query.status] as const, ["type", query.type] as const])
        if (value !== undefined) {
          conditions.push(`t.${column} = ?`);
          params.push(value);
        }
      const nulls = (key: TaskSortKey) => (mayBeNull.has(key) ? dialect.nullsLowest[direction] : "");
      const order = keysOfOrder(query.sort.key).map((key) => `t.${key} ${direction}${nulls(key)}`);
      const rows = await db.query(
        `select ${taskStubSelect} from tasks t where ${conditions.join(" and ")}${seen.sql}${behind.sql} order by ${order.join(", ")} limit ${Math.trunc(query.limit)}`,
        [...params, ...seen.params, ...behind.params],
      );
      return rows.map((row) => readTaskStub(row, dialect));
    },

    async ofImage(imageId, viewer) {
      if (!columns.tasksOfImages) return [];
      const seen = seenBy(viewer);
      const rows = await db.query(
        `select ${select} from ${joined} where t.image_id = ? and t.deleted = false and (t.expires_at is null or t.expires_at > ?)${seen.sql} order by t.created_at desc, t.id desc limit ${tasksOfImageMax}`,
        [imageId, now(), ...seen.params],
      );
      return rows.map((row) => readTask(row, dialect));
    },
  };
}

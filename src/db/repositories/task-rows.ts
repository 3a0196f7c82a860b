// Rows of tasks and task_info: written alike by whoever makes a task or ends one, inside transactions of their own.

import { jsonText } from "../../core/json-text.ts";
import type { Timestamp } from "../../images/image.ts";
import type { Task, TaskDraft, TaskOutcome, TaskStatus, TaskStub } from "../../images/tasks/task.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import type { Dialect, Queryable, Row, SqlValue } from "../database.ts";

export type TaskColumns = Pick<Capabilities, "tasksOfImages">;

const stubColumns = ["id", "type", "status", "owner", "expires_at", "created_at", "updated_at"] as const;
const ofImageColumns = ["image_id", "request_id", "user_id"] as const;

/** Of `t`, tasks. */
export const taskStubSelect = stubColumns.map((column) => `t.${column}`).join(", ");

/** Of `t`, tasks, and `o`, task_info. */
export function taskSelect({ tasksOfImages }: TaskColumns): string {
  const own = tasksOfImages ? ofImageColumns.map((column) => `t.${column}`) : [];
  return [taskStubSelect, ...own, "o.input", "o.result", "o.message"].join(", ");
}

/** The column does not take NULL: tasks made without identity have an empty owner. */
export const ownerValue = (owner: string | null): string => owner ?? "";

/** Writes a pending task. `now`: as a datetime column holds it. */
export async function insertTask(tx: Queryable, draft: TaskDraft, now: string, columns: TaskColumns): Promise<void> {
  const row: Record<string, SqlValue> = {
    id: draft.id,
    type: draft.type,
    status: "pending",
    owner: ownerValue(draft.owner),
    created_at: now,
    updated_at: now,
    deleted: false,
    ...(columns.tasksOfImages
      ? {
          image_id: draft.imageId,
          request_id: draft.requestId?.slice(0, 64) ?? null,
          user_id: draft.userId?.slice(0, 64) ?? null,
        }
      : {}),
  };
  const names = Object.keys(row);
  await tx.run(
    `insert into tasks (${names.join(", ")}) values (${names.map(() => "?").join(", ")})`,
    Object.values(row),
  );
  await tx.run("insert into task_info (task_id, input, message) values (?, ?, ?)", [
    draft.id,
    jsonText(draft.input),
    "",
  ]);
}

/** pending -> processing, or the sign of life of a task that is being worked on. False where it is finished or gone. */
export async function touchTask(tx: Queryable, id: string, now: string): Promise<boolean> {
  const { rowsAffected } = await tx.run(
    "update tasks set status = 'processing', updated_at = ? where id = ? and deleted = false and status in ('pending', 'processing')",
    [now, id],
  );
  return rowsAffected > 0;
}

/** Ends a task that is not ended yet; nothing happens to one that is. */
export async function endTask(
  tx: Queryable,
  id: string,
  outcome: TaskOutcome,
  times: { readonly now: string; readonly expiresAt: string },
): Promise<void> {
  const { rowsAffected } = await tx.run(
    "update tasks set status = ?, updated_at = ?, expires_at = ? where id = ? and deleted = false and status in ('pending', 'processing')",
    [outcome.status, times.now, times.expiresAt, id],
  );
  if (rowsAffected === 0) return;
  await tx.run("update task_info set result = ?, message = ? where task_id = ?", [
    outcome.result === null ? null : jsonText(outcome.result),
    outcome.message,
    id,
  ]);
}

export function readTaskStub(row: Row, dialect: Dialect): TaskStub {
  const time = (value: unknown): Timestamp | null => (value === null ? null : dialect.decodeTime(String(value)));
  const createdAt = dialect.decodeTime(String(row.created_at));
  return {
    id: String(row.id),
    type: String(row.type),
    status: row.status as TaskStatus,
    owner: row.owner === "" ? null : (row.owner as string),
    createdAt,
    updatedAt: time(row.updated_at) ?? createdAt,
    expiresAt: time(row.expires_at),
  };
}

export function readTask(row: Row, dialect: Dialect): Task {
  return {
    ...readTaskStub(row, dialect),
    input: readJson(row.input),
    result: readJson(row.result),
    message: (row.message ?? "") as string,
    imageId: (row.image_id ?? null) as string | null,
    requestId: (row.request_id ?? null) as string | null,
    userId: (row.user_id ?? null) as string | null,
  };
}

function readJson(text: unknown): unknown {
  if (typeof text !== "string" || text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    // Somebody else's row, and no reason that its task cannot be shown.
    return null;
  }
}

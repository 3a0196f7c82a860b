// Tasks as JSON: stubs in lists, whole ones by themselves, and the bare rows that an image's tasks are shown as.

import type { Task, TaskStub } from "../images/tasks/task.ts";
import type { Capabilities } from "../releases/capabilities.ts";

function stubView(task: TaskStub): Record<string, unknown> {
  return {
    id: task.id,
    type: task.type,
    status: task.status,
    owner: task.owner,
    ...(task.expiresAt === null ? {} : { expires_at: task.expiresAt }),
    created_at: task.createdAt,
    updated_at: task.updatedAt,
    self: `/v2/tasks/${task.id}`,
    schema: "/v2/schemas/task",
  };
}

export function taskJson(task: Task, { tasksOfImages }: Pick<Capabilities, "tasksOfImages">): string {
  // Tasks of no image, and those of nodes that did not keep these, go without.
  const { imageId, requestId, userId, input, result, message } = task;
  const ofImage = {
    ...(imageId === null ? {} : { image_id: imageId }),
    ...(requestId === null ? {} : { request_id: requestId }),
    ...(userId === null ? {} : { user_id: userId }),
  };
  return JSON.stringify({ ...stubView(task), input, result, message, ...(tasksOfImages ? ofImage : {}) });
}

export function taskPageJson(tasks: readonly TaskStub[], links: { first: string; next: string | null }): string {
  return JSON.stringify({
    tasks: tasks.map(stubView),
    first: links.first,
    ...(links.next === null ? {} : { next: links.next }),
    schema: "/v2/schemas/tasks",
  });
}

/** As the reference shows its rows here: times in a form of their own, nothing left out. */
export function imageTasksJson(tasks: readonly Task[]): string {
  const time = (text: string | null) => text?.replace("Z", ".000000") ?? null;
  const rows = tasks.map((task) => ({
    id: task.id,
    type: task.type,
    status: task.status,
    owner: task.owner,
    expires_at: time(task.expiresAt),
    created_at: time(task.createdAt),
    updated_at: time(task.updatedAt),
    deleted_at: null,
    deleted: false,
    image_id: task.imageId,
    request_id: task.requestId,
    user_id: task.userId,
    input: task.input,
    result: task.result,
    message: task.message,
  }));
  return JSON.stringify({ tasks: rows });
}

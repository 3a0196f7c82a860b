// Tasks as clients may look at them. Whose they are decides the database, whether they may be looked at at all the operator's policy.
import type { Caller } from "../../core/caller.ts";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import { forbidden, imageNotFound, viewerOf, visibleImage } from "../access.ts";
import type { SortDirection } from "../ports.ts";
import type { ImageServicesDeps } from "../services.ts";
import type { Task, TaskSortKey, TaskStatus, TaskStub } from "./task.ts";

export type ListTasksRequest = {
  readonly status?: TaskStatus;
  readonly type?: string;
  readonly sort: { readonly key: TaskSortKey; readonly direction: SortDirection };
  readonly marker?: string;
  /** null: the default. Larger than api_limit_max is cut. */
  readonly limit: number | null;
};

export type TaskPage = {
  readonly tasks: readonly TaskStub[];
  /** The marker of the page after this one; null where this was the last. */
  readonly nextMarker: string | null;
};

export interface TaskService {
  /** Whether the caller may use tasks at all, which is asked before what they want with them is looked at. Throws images.forbidden. */
  requireAccess(caller: Caller): void;
  /** Throws images.forbidden, images.bad_query (marker). */
  list(caller: Caller, request: ListTasksRequest): Promise<TaskPage>;
  /** Throws images.forbidden, tasks.not_found. */
  show(caller: Caller, taskId: string): Promise<Task>;
  /** What was done for an image, newest first: the caller's own. Throws images.not_found, also where the caller may not see the image. */
  ofImage(caller: Caller, imageId: string): Promise<readonly Task[]>;
}

type RuleDeps = Pick<ImageServicesDeps, "policy" | "capabilities">;

/** Throws images.forbidden. `rule` is what the reference asks below the API, on top of the right to use tasks at all. */
export function requireTaskRule(deps: RuleDeps, rule: string, caller: Caller): void {
  requireTaskAccess(deps, caller);
  requireRule(deps, rule, caller);
}

function requireTaskAccess(deps: RuleDeps, caller: Caller): void {
  if (deps.capabilities.policy.tasksAccessRule) requireRule(deps, "tasks_api_access", caller);
}

function requireRule({ policy }: RuleDeps, rule: string, caller: Caller): void {
  const target = { project_id: caller.projectId, owner: caller.projectId, tenant: caller.projectId };
  if (!policy.allows(rule, caller, target)) throw forbidden(`You may not use tasks: policy ${rule}.`);
}

export function createTaskService(deps: ImageServicesDeps): TaskService {
  const { tasks, settings } = deps;

  return {
    requireAccess: (caller) => requireTaskAccess(deps, caller),

    async list(caller, request) {
      requireTaskRule(deps, "get_tasks", caller);
      const limit = Math.min(request.limit ?? settings.pageImagesDefault, settings.pageImagesMax);
      if (limit === 0) return { tasks: [], nextMarker: null };
      const found = await tasks.list({ ...request, viewer: viewerOf(caller), limit });
      return { tasks: found, nextMarker: (found.length === limit && found.at(-1)?.id) || null };
    },

    async show(caller, taskId) {
      requireTaskRule(deps, "get_task", caller);
      const task = taskId.length <= 36 ? await tasks.find(taskId, viewerOf(caller)) : undefined;
      if (!task) throw taskNotFound(taskId);
      return task;
    },

    async ofImage(caller, imageId) {
      try {
        const image = await visibleImage(deps, caller, imageId);
        return await tasks.ofImage(image.id, viewerOf(caller));
      } catch (error) {
        // Releases that tell who may not see an image that it is forbidden make an exception of this call.
        throw isServiceError(error, "images.forbidden") ? imageNotFound(imageId) : error;
      }
    },
  };
}

function taskNotFound(taskId: string): ServiceError {
  const shown = taskId.slice(0, 80);
  return new ServiceError("tasks.not_found", `There is no task ${shown}.`, { facts: { taskId: shown } });
}

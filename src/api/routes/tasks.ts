// /v2/tasks, and what was done for one image.
import type { Answer } from "../answer.ts";
import { pageLinks } from "../list-links.ts";
import { type ApiRequest, jsonAnswer, jsonHeaders, type Route, type RouteDeps } from "../route.ts";
import { parseTask } from "../task-body.ts";
import { parseTaskQuery } from "../task-query.ts";
import { imageTasksJson, taskJson, taskPageJson } from "../task-view.ts";

/** DELETE of a task is refused with 405, as everywhere. */
export function taskRoutes({ capabilities }: Pick<RouteDeps, "capabilities">): readonly Route[] {
  const routes: readonly Route[] = [
    { method: "GET", path: "/tasks", body: "ignored", handle: list },
    // Before Pike there is no status for an image whose data is fetched.
    ...(capabilities.importing ? [{ method: "POST", path: "/tasks", body: "json", handle: create } as const] : []),
    { method: "GET", path: "/tasks/:taskId", body: "refused", handle: show },
  ];
  if (!capabilities.tasksOfImages) return routes;
  return [...routes, { method: "GET", path: "/images/:imageId/tasks", body: "refused", handle: ofImage }];
}

async function list(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  services.tasks.requireAccess(request.caller);
  const query = request.query();
  const page = await services.tasks.list(request.caller, parseTaskQuery(query));
  return jsonAnswer(200, taskPageJson(page.tasks, pageLinks("/v2/tasks", query, page.nextMarker)));
}

async function create(request: ApiRequest, { services, capabilities }: RouteDeps): Promise<Answer> {
  services.tasks.requireAccess(request.caller);
  const wanted = parseTask(await request.json());
  const task = await services.imports.startTask(request.caller, wanted, request.header("x-auth-token") ?? null);
  const location = `${request.baseUrl()}/v2/tasks/${task.id}`;
  return jsonAnswer(201, taskJson(task, capabilities), { ...jsonHeaders, location });
}

async function show(request: ApiRequest, { services, capabilities }: RouteDeps): Promise<Answer> {
  return jsonAnswer(200, taskJson(await services.tasks.show(request.caller, request.param("taskId")), capabilities));
}

async function ofImage(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  return jsonAnswer(200, imageTasksJson(await services.tasks.ofImage(request.caller, request.param("imageId"))));
}

// Calls about the service itself, as the API's description shows them: tasks, stores, cache, schemas, and what needs no token.
import { taskSortKeys } from "../../images/tasks/task.ts";
import type { Route } from "../route.ts";
import { directions, page } from "./image-operations.ts";
import { anything, json, type Operation, type Operations, oneOf, parameter, ref } from "./operation.ts";

const nothing = { type: "null" } as const;

export const serviceOperations: Operations = {
  "GET /tasks": {
    id: "listTasks",
    summary: "Tasks, by pages.",
    query: [
      ...page,
      parameter("status", oneOf("pending", "processing", "success", "failure"), "How far the task is."),
      parameter("type", oneOf("import"), "What the task does."),
      parameter("sort_key", oneOf(...taskSortKeys), "What the list is sorted by."),
      parameter("sort_dir", directions, "Which way."),
    ],
    answers: { 200: ref("tasks") },
    // The marker is no task.
    errors: [404],
  },
  "POST /tasks": {
    id: "createTask",
    summary: "Makes an image and fetches its data, as older clients do.",
    body: json(ref("task_body")),
    answers: { 201: ref("task") },
    errors: [409, 413],
  },
  "GET /tasks/:taskId": { id: "showTask", summary: "One task.", answers: { 200: ref("task") } },
  "GET /info/import": { id: "showImportInfo", summary: "Ways to import.", answers: { 200: ref("import_info") } },
  "GET /info/stores": { id: "listStores", summary: "Stores.", answers: { 200: ref("stores") }, errors: [404] },
  "GET /info/stores/detail": {
    id: "listStoresInDetail",
    summary: "Stores, with how they are set up.",
    answers: { 200: ref("stores_detail") },
    errors: [404],
  },
  "GET /info/usage": {
    id: "showUsage",
    summary: "What the caller's project has, and may have.",
    answers: { 200: ref("usage") },
  },
  "DELETE /stores/:storeId/:imageId": {
    id: "removeFromStore",
    summary: "Takes the data of an image out of one of its stores.",
    answers: { 204: null },
    errors: [409],
  },
  "GET /cache": {
    id: "showCache",
    summary: "What the cache of this node holds.",
    answers: { 200: ref("cache") },
    errors: [404],
  },
  "DELETE /cache": {
    id: "clearCache",
    summary: "Empties cache and queue, or one of them.",
    headers: [parameter("X-Image-Cache-Clear-Target", oneOf("cache", "queue", ""), "Which of them.")],
    answers: { 204: null },
    errors: [404],
  },
  "PUT /cache/:imageId": { id: "cacheImage", summary: "Caches an image now.", answers: { 202: null } },
  "DELETE /cache/:imageId": { id: "uncacheImage", summary: "Caches an image no longer.", answers: { 204: null } },
  ...olderCache("/cached_images", "cached_images", "Cached"),
  ...olderCache("/queued_images", "queued_images", "Queued"),
  "PUT /queued_images/:imageId": { id: "queueImage", summary: "Caches an image soon.", answers: { 200: nothing } },
};

function olderCache(path: string, schema: string, name: string): Operations {
  const what = name.toLowerCase();
  return {
    [`GET ${path}`]: {
      id: `list${name}`,
      summary: `Images ${what} on this node.`,
      answers: { 200: ref(schema) },
      errors: [404],
    },
    [`DELETE ${path}`]: {
      id: `clear${name}`,
      summary: `Forgets all images ${what}.`,
      answers: { 200: ref("cleared") },
      errors: [404],
    },
    [`DELETE ${path}/:imageId`]: {
      id: `remove${name}`,
      summary: `Forgets an image ${what}.`,
      answers: { 200: nothing },
    },
  };
}

/** A schema that is served: there is a route for each. */
export function schemaOperation({ path }: Pick<Route, "path">): Operation | undefined {
  const [, name] = /^\/schemas\/(.+)$/.exec(path) ?? [];
  if (name === undefined) return undefined;
  const words = name.split(/[/_]/).map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return { id: `showSchema${words.join("")}`, summary: `The schema of ${name}.`, answers: { 200: ref("schema") } };
}

const health = { forms: { "text/plain": {}, "text/html": {}, "application/json": ref("health") } };
const versions = { summary: "Versions of the API.", answers: {} };

/** Outside /v2, for everybody, and by GET. */
export const publicOperations: Operations = {
  "GET /": { ...versions, id: "chooseVersion", answers: { 300: ref("versions") } },
  "GET /versions": { ...versions, id: "listVersions", answers: { 200: ref("versions") } },
  "GET /healthcheck": {
    id: "checkHealth",
    summary: "Whether this node serves.",
    answers: { 200: health, 503: health },
  },
  "GET /metrics": { id: "showMetrics", summary: "Figures for Prometheus.", answers: { 200: anything("text/plain") } },
  "GET /openapi.json": { id: "describeApi", summary: "This document.", answers: { 200: { type: "object" } } },
};

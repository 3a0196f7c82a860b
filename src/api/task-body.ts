// The body of POST /v2/tasks to what the domain understands. Imports are the only tasks that clients make.
import { ServiceError } from "../core/errors.ts";
import { isStorable } from "../core/storable-text.ts";
import type { ImportTaskRequest } from "../images/import/import-service.ts";

type Json = Readonly<Record<string, unknown>>;

/** Throws api.bad_request. */
export function parseTask(body: object): ImportTaskRequest {
  const { type, input } = body as Json;
  if (Array.isArray(body) || type !== "import") throw wrong('it must be an object whose "type" is import');
  if (!isObject(input)) throw wrong('it needs an object "input"');
  const { import_from: uri, import_from_format: format, image_properties: attributes = {} } = input;
  if (typeof uri !== "string" || !isStorable(uri)) throw wrong('"input" needs a text "import_from"');
  if (format !== undefined && typeof format !== "string") throw wrong('"import_from_format" must be a text');
  if (!isObject(attributes)) throw wrong('"image_properties" must be an object');
  return { uri, format: format ?? null, attributes, input };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wrong(why: string): ServiceError {
  return new ServiceError("api.bad_request", `The body is no task: ${why}.`);
}

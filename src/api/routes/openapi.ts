// GET /openapi.json: the API described for machines, as this node serves it. No token needed, as for the list of versions.
import type { IncomingMessage } from "node:http";
import type { Answer } from "../answer.ts";
import { baseUrlOf } from "../base-url.ts";
import type { ApiSettings } from "../config.ts";
import { jsonAnswer } from "../route.ts";

/** `description`: JSON text of an object that lacks the servers, which depend on how the client came here. */
export function openapiAnswer(request: IncomingMessage, settings: ApiSettings, description: string): Answer {
  const servers = JSON.stringify([{ url: baseUrlOf(request, settings) }]);
  return jsonAnswer(200, `{"servers":${servers},${description.slice(1)}`);
}

// The versions document: what clients fetch first, without a token, and what every unknown path answers.
import type { IncomingMessage } from "node:http";
import type { Release } from "../../releases/catalogue.ts";
import type { Answer } from "../answer.ts";
import { baseUrlOf } from "../base-url.ts";
import type { ApiSettings } from "../config.ts";
import { jsonAnswer } from "../route.ts";

type Deps = { readonly release: Release; readonly settings: ApiSettings };

/** `status` 200 for /versions, 300 where the client has to choose. */
export function versionsAnswer(status: 200 | 300, request: IncomingMessage, { release, settings }: Deps): Answer {
  const href = `${baseUrlOf(request, settings)}/v2/`;
  const versions = release.apiVersions(settings.features).map(({ id, status: support }) => ({
    id,
    status: support,
    links: [{ rel: "self", href }],
  }));
  return jsonAnswer(status, JSON.stringify({ versions }));
}

/** `/v2` lacks its slash. */
export function redirectAnswer(request: IncomingMessage, { settings }: Deps): Answer {
  const headers = { "content-type": "text/plain; charset=utf8", location: `${baseUrlOf(request, settings)}/v2/` };
  return { status: 302, headers };
}

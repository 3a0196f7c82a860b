// Hands a request on to the node that has the staged data it is about, with its client's own credentials, and its answer back.
import { hostname } from "node:os";
import { errorText, isServiceError, ServiceError } from "../core/errors.ts";
import { type Onward, passedOnHeader } from "../core/onward.ts";
import type { Answer } from "./answer.ts";
import { requestIdHeader } from "./request-id.ts";
import type { ApiRequest } from "./route.ts";

/** What says who asks, whichever way identity is told, and the id that all log lines share. */
const handedOn =
  /^(x-(auth|service)-token|x-identity-status|x-(user|project|tenant|roles|service|domain).*|openstack-system-scope|x-openstack-request-id|accept)$/;
const answerMsMax = 60_000;

/** The request as a node that has to do it in this one's place gets it. */
export function onwardOf(request: ApiRequest): Onward {
  return { headers: handedOnOf(request), passedOnBy: request.header(passedOnHeader) };
}

/** Without an id of the client's it is the one that this node's log has. */
function handedOnOf(request: ApiRequest): Record<string, string> {
  const headers: Record<string, string> = { [requestIdHeader]: request.caller.requestId };
  for (const [name, value] of Object.entries(request.raw.headers))
    if (typeof value === "string" && value !== "" && handedOn.test(name)) headers[name] = value;
  return headers;
}

/** The URL of the node that has the data, where that is what failed here. */
export function stageHostOf(error: unknown): string | undefined {
  const host = isServiceError(error, "images.not_staged_here") ? error.facts.stageHost : undefined;
  return typeof host === "string" && /^https?:\/\//i.test(host) ? host.replace(/\/+$/, "") : undefined;
}

/**
 * `path` is the canonical one, with its version. Throws api.other_node_failed where that node fails or cannot be reached, and where the request was
 * handed on already: nodes that name one another's URL as their own, or a balancer's, would hand it round for ever.
 */
export async function askOtherNode(
  request: ApiRequest,
  host: string,
  { method, path, body }: { readonly method: "POST" | "DELETE"; readonly path: string; readonly body?: string },
): Promise<Answer> {
  const passedOnBy = request.header(passedOnHeader);
  const failed = (why: string, cause?: unknown) =>
    new ServiceError("api.other_node_failed", `The node at ${host}, which has the staged data, did not help: ${why}.`, {
      facts: { host },
      cause,
    });
  if (passedOnBy !== undefined) {
    const by = passedOnBy.slice(0, 80);
    throw failed(`the request came from ${by} already; every node needs a worker_self_reference_url of its own`);
  }
  const headers = { ...handedOnOf(request), [passedOnHeader]: encodeURI(hostname()) };
  let response: Response;
  let text: string;
  try {
    const signal = AbortSignal.any([request.signal(), AbortSignal.timeout(answerMsMax)]);
    response = await fetch(`${host}${path}`, {
      method,
      headers,
      redirect: "manual",
      signal,
      ...(body ? { body } : {}),
    });
    text = await response.text();
  } catch (error) {
    throw failed(errorText(error), error);
  }
  if (response.status >= 500 || response.status < 200) throw failed(`it answered ${response.status}`);
  const type = response.headers.get("content-type");
  return {
    status: response.status,
    ...(text === "" ? {} : { body: text, ...(type === null ? {} : { headers: { "content-type": type } }) }),
  };
}

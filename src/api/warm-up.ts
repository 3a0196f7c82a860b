// A process that has just started takes many times as long for its first requests as for later ones: code is compiled when it is first run,
// and connections to the database are opened when they are first needed. Of a rollout, which starts every node anew, clients would see that
// as a stall at each node. So an API serves some requests of its own first, as nobody's client: they read, or are refused.
import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import { duplexPair } from "node:stream";
import { text } from "node:stream/consumers";
import { Agent, request } from "../core/node-http.ts";
import type { Identity } from "../identity/identity.ts";
import type { ApiMetrics } from "./metrics.ts";
import { requestIdHeader } from "./request-id.ts";

/** A quarter of a second on a machine of today. */
const roundsMax = 12;
/** A slow database is no reason to start late. */
const msMax = 500;
const serverError = 500;

type Asked = { readonly method: "GET" | "POST" | "PATCH" | "DELETE"; readonly path: string; readonly payload?: string };

export class WarmUp {
  #running = false;
  /** Owns nothing, and is nobody that any service knows. */
  readonly #caller = { userId: randomUUID(), projectId: randomUUID(), roles: ["member", "reader"], isAdmin: false };

  /** Callers as `real` finds them, once the API is warm. */
  identity(real: Identity): Identity {
    return {
      authenticate: (headers, requestId) =>
        this.#running ? { ...this.#caller, requestId } : real.authenticate(headers, requestId),
    };
  }

  /** Counts clients' requests only. */
  metrics(real: ApiMetrics): ApiMetrics {
    return { begin: () => (this.#running ? () => undefined : real.begin()) };
  }

  /**
   * `server`: of an API that was given `identity` and `metrics` of this object and does not listen yet, so that no request but these can come
   * while there is no asking who sends it. Ends early, and says nothing, where the service cannot answer: clients will find out the same.
   */
  async run(server: Server): Promise<void> {
    if (server.listening) throw new Error("an API that listens already cannot be warmed up");
    const agent = agentOf(server);
    this.#running = true;
    try {
      await serveSome(agent, AbortSignal.timeout(msMax));
    } catch {
      // Out of time, or an answer that was cut.
    } finally {
      this.#running = false;
      agent.destroy();
    }
  }
}

/** Its connections, one for each request, begin and end in this process. */
function agentOf(server: Server): Agent {
  const agent = new Agent();
  agent.createConnection = () => {
    const [near, far] = duplexPair();
    server.emit("connection", far);
    return near;
  };
  return agent;
}

async function serveSome(agent: Agent, signal: AbortSignal): Promise<void> {
  let imageId: string = randomUUID();
  for (let round = 0; round < roundsMax; round++)
    for (const asked of requestsOf(imageId)) {
      const { status, body } = await ask(agent, asked, signal);
      if (status >= serverError) return;
      if (asked.path.startsWith("/v2/images?")) imageId = firstImage(body) ?? imageId;
    }
}

/** Of all that clients do most, what changes nothing: `imageId` may be one that everybody sees. */
function requestsOf(imageId: string): readonly Asked[] {
  const nowhere = `/v2/images/${randomUUID()}`;
  return [
    { method: "GET", path: "/v2/images?limit=25" },
    { method: "GET", path: `/v2/images/${imageId}` },
    { method: "GET", path: `/v2/images/${imageId}/members` },
    { method: "GET", path: `${nowhere}/file` },
    // No name is a number: refused before it is anything in the database.
    { method: "POST", path: "/v2/images", payload: '{"name": 1}' },
    { method: "PATCH", path: nowhere, payload: '[{"op": "replace", "path": "/name", "value": "warm"}]' },
    { method: "DELETE", path: nowhere },
    { method: "GET", path: "/versions" },
  ];
}

function ask(
  agent: Agent,
  { method, path, payload }: Asked,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: string }> {
  const type = method === "PATCH" ? "application/openstack-images-v2.1-json-patch" : "application/json";
  const headers = { [requestIdHeader]: "req-warm-up", ...(payload === undefined ? {} : { "content-type": type }) };
  return new Promise((resolve, reject) => {
    const asking = request({ agent, method, path, headers, signal }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    asking.on("error", reject);
    asking.end(payload);
  });
}

/** Undefined where the list is empty, or was refused. */
function firstImage(list: string): string | undefined {
  const { images } = JSON.parse(list) as { images?: readonly { readonly id: string }[] };
  return images?.[0]?.id;
}

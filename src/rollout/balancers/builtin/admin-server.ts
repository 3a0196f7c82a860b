// The balancer's own small API on a UNIX socket, for the rollout and for people with curl:
//   GET /servers                          every server: state, health, requests under way, what it answered, latency
//   PUT /servers/NAME  {"state":"drain"}  ready, drain or maint; answers the server as it then is
import { unlinkSync } from "node:fs";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { connect } from "node:net";
import { errorText, ServiceError } from "../../../core/errors.ts";
import { createServer } from "../../../core/node-http.ts";
import type { RotationState } from "../../snapshot.ts";
import { isRotationState } from "./state-file.ts";
import type { Upstream } from "./upstream.ts";

const bodyBytesMax = 1_000;

export type AdminActions = {
  readonly upstreams: readonly Upstream[];
  /** Resolves when the state is in effect and kept. */
  setState(upstream: Upstream, state: RotationState): Promise<void>;
};

/** Throws node.port_in_use where a living balancer has the socket; one left behind by a dead balancer is replaced. */
export async function listenAdmin(path: string, actions: AdminActions): Promise<Server> {
  await removeDeadSocket(path);
  const server = createServer((request, response) => {
    answer(actions, request, response).catch((error: unknown) => send(response, 500, { error: errorText(error) }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(path, error)));
    // Ours alone from the first moment: the socket is made within this call.
    const umask = process.umask(0o177);
    server.listen(path, resolve);
    process.umask(umask);
  });
  return server;
}

async function answer(actions: AdminActions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, collection, name] = (request.url ?? "").split("/").map(decodeURIComponent);
  if (collection !== "servers") return send(response, 404, { error: "there are /servers and /servers/NAME" });
  if (name === undefined && request.method === "GET") {
    return send(response, 200, { servers: actions.upstreams.map((upstream) => upstream.view()) });
  }
  const upstream = actions.upstreams.find((one) => one.name === name);
  if (!upstream) return send(response, 404, { error: `there is no server ${name}` });
  if (request.method === "PUT") {
    const state = await readState(request);
    if (!isRotationState(state)) return send(response, 400, { error: 'send {"state": "ready" | "drain" | "maint"}' });
    await actions.setState(upstream, state);
  } else if (request.method !== "GET") return send(response, 405, { error: "GET or PUT" });
  return send(response, 200, upstream.view());
}

async function readState(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > bodyBytesMax) return undefined;
  }
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null && "state" in body ? body.state : undefined;
  } catch {
    // Not JSON: answered as any other wrong body.
    return undefined;
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json", connection: "close" });
  response.end(`${JSON.stringify(body)}\n`);
}

function removeDeadSocket(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      reject(cannotListen(path, new Error("a balancer runs there already")));
    });
    probe.once("error", (error) => {
      if ("code" in error && error.code === "ECONNREFUSED") unlinkSync(path);
      resolve();
    });
  });
}

function cannotListen(address: string, error: Error): ServiceError {
  return new ServiceError("node.port_in_use", `the balancer cannot listen on ${address}: ${errorText(error)}`, {
    facts: { address },
    cause: error,
  });
}

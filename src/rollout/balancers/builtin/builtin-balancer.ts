// The balancer driver `builtin`: talks to the embedded balancer's process through its admin socket.
import { errorText, ServiceError } from "../../../core/errors.ts";
import { request as httpRequest } from "../../../core/node-http.ts";
import type { RotationState, RotationView } from "../../snapshot.ts";
import type { Balancer } from "../balancer.ts";
import type { BuiltinAt } from "../balancer-schemas.ts";
import { isRotationState } from "./state-file.ts";

const answerMsMax = 5_000;

export function createBuiltinBalancer(at: BuiltinAt, nodes: readonly string[]): Balancer {
  const { admin } = at;
  return {
    async observe(signal): Promise<ReadonlyMap<string, RotationView>> {
      const answer = await ask(admin, "GET", "/servers", undefined, signal);
      const listed = isRecord(answer.body) && Array.isArray(answer.body.servers) ? answer.body.servers : [];
      const views = new Map<string, RotationView>();
      for (const server of listed) {
        const view = toView(server);
        if (isRecord(server) && view) views.set(String(server.name), view);
      }
      const missing = nodes.filter((node) => !views.has(node));
      if (missing.length === 0) return views;
      const message = `the balancer at ${admin} has no server ${missing.join(", ")} (it has: ${[...views.keys()].join(", ") || "none"}); restart it with this fleet file`;
      throw new ServiceError("rollout.fleet_invalid", message, { facts: { socket: admin } });
    },

    async setState(server: string, state: RotationState, signal: AbortSignal): Promise<void> {
      const path = `/servers/${encodeURIComponent(server)}`;
      const set = await ask(admin, "PUT", path, JSON.stringify({ state }), signal);
      const read = set.status === 200 ? await ask(admin, "GET", path, undefined, signal) : set;
      if (read.status === 200 && toView(read.body)?.state === state) return;
      const said = isRecord(read.body) ? (read.body.error ?? read.body.state) : read.status;
      const message = `the balancer at ${admin} did not set ${server} to ${state}: it says ${String(said)}`;
      throw new ServiceError("rollout.driver_failed", message, { facts: { socket: admin, server, state } });
    },
  };
}

type Answer = { readonly status: number; readonly body: unknown };

function ask(
  socket: string,
  method: string,
  path: string,
  body: string | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      const message = `the balancer at ${socket} cannot be asked (${errorText(error)}); start it with: glance-rollout balancer --fleet FILE`;
      reject(new ServiceError("rollout.driver_failed", message, { facts: { socket }, cause: error }));
    };
    const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]);
    const request = httpRequest({ socketPath: socket, method, path, agent: false, signal: limit }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", fail).on("end", () => {
        try {
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
        } catch (error) {
          fail(error);
        }
      });
    });
    request.on("error", fail);
    request.end(body);
  });
}

function toView(server: unknown): RotationView | undefined {
  if (!isRecord(server) || !isRotationState(server.state)) return undefined;
  const broken = Number(server.failures ?? 0);
  const errors = isRecord(server.responses) ? Number(server.responses["5xx"] ?? 0) : 0;
  const sessions = Number(server.sessions);
  return { state: server.state, up: server.up === true, sessions, failures: broken + errors };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

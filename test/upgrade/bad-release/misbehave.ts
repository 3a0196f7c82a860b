// What makes a node a bad one: loaded before everything else into each of its processes, and named by the environment. It answers, or ends,
// in the place of the service, which knows nothing of it.
import { type IncomingMessage, Server, ServerResponse } from "node:http";
import type { BadRelease } from "../../../src/rollout/testing/simulation/scenario.ts";
import { badAnswer, badReleaseVariable } from "./bad-package.ts";

const how = process.env[badReleaseVariable] as BadRelease | undefined;
/** More than a busy machine makes of any request. */
const slowMs = 5_000;
const livesMs = 2_000;
let asked = 0;
let isDying = false;

const emit = Server.prototype.emit;
Server.prototype.emit = function (this: Server, event: string, ...args: unknown[]): boolean {
  const [request, response] = args;
  // Of the main port alone, and not what the rollout tries a node out with: that would find the node bad before a client does.
  if (event !== "request" || !(response instanceof ServerResponse)) return emit.call(this, event, ...args);
  return misbehave(request as IncomingMessage, response) || emit.call(this, event, ...args);
};

/** Whether it was answered here. */
function misbehave(request: IncomingMessage, response: ServerResponse): boolean {
  const isHealth = request.url?.startsWith("/healthcheck") === true;
  if (how === "fails its health" && isHealth) return answer(request, response, 503);
  if (how === "leaks" && isHealth) dieSoon();
  if (isHealth || request.url === "/metrics" || String(request.headers["x-auth-token"]).startsWith("probe:"))
    return false;
  if (how === "fails one in fifty" && ++asked % 50 === 0) return answer(request, response, 500);
  if (how === "three times slower") endLate(response);
  return false;
}

/** After the request's body, so that the client hears it and not a broken connection. */
function answer(request: IncomingMessage, response: ServerResponse, status: number): true {
  request.resume().once("end", () => response.writeHead(status).end(badAnswer));
  return true;
}

function endLate(response: ServerResponse): void {
  const end = response.end;
  response.end = ((...args: unknown[]) => {
    setTimeout(() => Reflect.apply(end, response, args), slowMs);
    return response;
  }) as typeof end;
}

/** As the kernel ends whoever takes all memory: the whole node, at once. */
function dieSoon(): void {
  if (isDying) return;
  isDying = true;
  setTimeout(() => {
    process.kill(process.ppid, "SIGKILL");
    process.kill(process.pid, "SIGKILL");
  }, livesMs);
}

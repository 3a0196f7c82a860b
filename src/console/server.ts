// The console's web server: the built page, the live feed, past rollouts, and orders where they are allowed. It listens where it is told.
import { type FastifyInstance, fastify } from "fastify";
import { errorText, isServiceError, ServiceError } from "../core/errors.ts";
import { type DoAct, readOrder } from "./acts.ts";
import { streamFeed } from "./event-stream.ts";
import type { LiveFeed } from "./live-feed.ts";
import { servePage } from "./page-files.ts";
import type { PastRollouts } from "./past-rollouts.ts";
import { isToken, refusalOf, securityHeaders, tokenHeader } from "./security.ts";

export type ConsoleServerOptions = {
  readonly feed: LiveFeed;
  readonly past: PastRollouts;
  /** Folder of the built page. */
  readonly page: string;
  /** The host it listens on, which requests have to name. */
  readonly host: string;
  /** Absent: nothing can be ordered. */
  readonly control?: { readonly token: string; readonly doAct: DoAct };
};

const bodyBytesMax = 4_096;

/** Ready, not listening. Closing it ends the open pages' connections. */
export function createConsoleServer(options: ConsoleServerOptions): FastifyInstance {
  const { feed, past, page, host, control } = options;
  const app = fastify({ bodyLimit: bodyBytesMax, forceCloseConnections: true, exposeHeadRoutes: true });
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(securityHeaders);
    const refusal = refusalOf(request.headers, host);
    if (refusal) return reply.code(403).header("cache-control", "no-store").send({ message: refusal });
  });
  app.setErrorHandler((error, _request, reply) => {
    const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 500;
    const told = isServiceError(error) ? 409 : status >= 400 && status < 500 ? status : 500;
    return reply
      .code(told)
      .header("cache-control", "no-store")
      .send({ message: errorText(error) });
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ message: "there is no such page" }));
  servePage(app, page);
  app.get("/api/events", (request, reply) => streamFeed(feed, request, reply));
  app.get("/api/rollouts", async (_request, reply) => {
    reply.header("cache-control", "no-store");
    return past.list();
  });
  app.get<{ Params: { id: string } }>("/api/rollouts/:id", async (request, reply) => {
    reply.header("cache-control", "no-store");
    const found = await past.find(request.params.id);
    return found ?? reply.code(404).send({ message: `there is no rollout ${request.params.id}` });
  });
  addOrders(app, control);
  return app;
}

/** The token comes in a header, which no other site's page can make a browser send. */
function addOrders(app: FastifyInstance, control: ConsoleServerOptions["control"]): void {
  app.post("/api/orders", async (request, reply) => {
    reply.header("cache-control", "no-store");
    if (!control) {
      const message = "this console only shows; start it with --allow-control --token-file FILE to give orders";
      return reply.code(403).send({ message });
    }
    if (!isToken(request.headers[tokenHeader], control.token))
      return reply.code(401).send({ message: "the token is wrong or missing" });
    const read = readOrder(request.body);
    if (typeof read === "string") return reply.code(400).send({ message: read });
    return { message: await control.doAct(read.order, read.who) };
  });
}

/** Throws node.port_in_use. Returns the address for people. */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    const message = `the console cannot listen on ${host}:${port} (${errorText(error)}); give another address with --listen`;
    throw new ServiceError("node.port_in_use", message, { cause: error });
  }
}

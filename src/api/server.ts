// The Images API v2 as a Fastify instance that does not listen yet: Fastify routes, everything else (bodies, answers, errors) is done
// here and beside, because clients depend on details that frameworks decide differently.
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { CacheService } from "../cache/cache-service.ts";
import { ServiceError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { METHODS } from "../core/node-http.ts";
import { isStorable } from "../core/storable-text.ts";
import type { Identity } from "../identity/identity.ts";
import type { ImageSettings } from "../images/settings.ts";
import type { Release } from "../releases/catalogue.ts";
import type { Answer } from "./answer.ts";
import { answerUnparsable, refuseConnect } from "./client-error.ts";
import type { ApiSettings } from "./config.ts";
import { Exchanges } from "./exchange.ts";
import type { Gate } from "./gate.ts";
import type { ApiMetrics } from "./metrics.ts";
import { describeApi } from "./openapi/document.ts";
import { hasBody } from "./request-body.ts";
import { requestIdHeader, requestIdOf } from "./request-id.ts";
import { ApiRequest, type Route, type RouteDeps, type Services } from "./route.ts";
import { allowedMethods, pathsOf, routesOf } from "./route-table.ts";
import { healthcheckAnswer } from "./routes/healthcheck.ts";
import { openapiAnswer } from "./routes/openapi.ts";
import { redirectAnswer, versionsAnswer } from "./routes/versions.ts";
import { createUrlRewrite, internalPaths, openapiPath } from "./version-negotiation.ts";

export type ApiDeps = {
  readonly services: Services;
  readonly cache: CacheService;
  readonly identity: Identity;
  readonly release: Release;
  /** The release whose versions are announced; absent: `release`. */
  readonly announced?: () => Promise<Release>;
  /** See RouteDeps. */
  readonly described?: () => Promise<Release>;
  readonly gate: Gate;
  readonly settings: ApiSettings;
  /** What schemas and views show of the operator's choices. */
  readonly images: ImageSettings;
  readonly metrics: ApiMetrics;
  readonly logger: Logger;
  /** All headers of a request together. */
  readonly headerBytesMax: number;
};

/** A path's parameter as long as this is refused by the domain, if not here; find-my-way counts encoded characters. */
const paramCharsMax = 16_384;
/** Methods that get 404 where there is no resource; of others nobody has heard (501). */
const knownMethods: readonly string[] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"];
/** How statistics call requests that met no route. */
const unknown = "unknown";
const allMethods = METHODS.filter((method) => method !== "CONNECT");

/** Ready, not listening: give its `server` a socket. */
export async function createApi(deps: ApiDeps): Promise<FastifyInstance> {
  const healthPaths = [...new Set(["/healthcheck", deps.settings.healthcheckPath])];
  const rewriteUrl = createUrlRewrite(deps.release, deps.settings.features, healthPaths);
  const { capabilities } = deps.release;
  const routeDeps: RouteDeps = { ...deps, capabilities, view: { ...deps.images, ...capabilities } };
  const routes = routesOf(routeDeps);
  const description = describeApi(routes, routeDeps);
  const exchanges = new Exchanges(deps);
  const app = fastify({
    rewriteUrl,
    exposeHeadRoutes: false,
    // Draining is the gate's matter; a request that came in is served.
    return503OnClosing: false,
    // Uploads take hours; silent sockets are ended by the socket's own timeout.
    requestTimeout: 0,
    http: { maxHeaderSize: deps.headerBytesMax },
    routerOptions: { maxParamLength: paramCharsMax },
    frameworkErrors: (_error, request, reply) => void publicAnswer(request, reply, "undecodable", refuseUndecodable),
    clientErrorHandler: (error: Error, socket) => answerUnparsable(error, socket, { routes, rewriteUrl }),
  });
  // Without parsers of its own Fastify leaves all bodies to us.
  for (const method of allMethods) app.addHttpMethod(method, { hasBody: false, overrideExisting: true });

  for (const path of pathsOf(routes)) {
    const here = routes.filter((route) => route.path === path);
    for (const route of here)
      app.route({ method: route.method, url: `/v2${path}`, handler: (request, reply) => serve(request, reply, route) });
    const others = allMethods.filter((method) => !here.some((route) => route.method === method));
    app.route({ method: others, url: `/v2${path}`, handler: (request, reply) => wrongMethod(request, reply, path) });
  }
  const internal: readonly (readonly [string, (request: FastifyRequest) => Answer | Promise<Answer>])[] = [
    ["/versions", ({ raw }) => versions(200, raw)],
    [internalPaths.versionChoice, ({ raw }) => versions(300, raw)],
    [internalPaths.options, () => ({ status: 200 })],
    [internalPaths.undecodable, refuseUndecodable],
    ...healthPaths.map((path) => [path, ({ raw }: FastifyRequest) => healthcheckAnswer(raw, deps.gate)] as const),
    ["/metrics", metricsAnswer],
    [openapiPath, ({ raw }) => openapiAnswer(raw, deps.settings, description)],
  ];
  for (const [url, make] of internal)
    app.route({ method: allMethods, url, handler: (request, reply) => publicAnswer(request, reply, url, make) });
  // Not before it is known who asks: to the reference this is already a path of the API.
  app.route({
    method: allMethods,
    url: internalPaths.versionRedirect,
    handler: (request, reply) =>
      authenticated(request, reply, internalPaths.versionRedirect, async ({ raw }) => redirectAnswer(raw, deps)),
  });
  app.setNotFoundHandler((request, reply) => unknownPath(request, reply));
  // `request` and not the routing alone, because the process counts requests by that event.
  app.server.on("checkContinue", (request, response) => app.server.emit("request", request, response));
  app.server.on("connect", (_request, socket: Socket) => refuseConnect(socket));
  await app.ready();
  return app;

  async function versions(status: 200 | 300, request: IncomingMessage): Promise<Answer> {
    return versionsAnswer(status, request, { ...deps, release: (await deps.announced?.()) ?? deps.release });
  }

  /** Hijacked, as all replies are: Fastify neither sends nor fails. */
  function serve(request: FastifyRequest, reply: FastifyReply, route: Route): Promise<void> {
    return authenticated(request, reply, route.path, (apiRequest) => {
      if (route.body === "refused" && hasBody(request.raw))
        throw new ServiceError("api.bad_request", "This request takes no body.");
      return route.handle(apiRequest, routeDeps);
    });
  }

  function wrongMethod(request: FastifyRequest, reply: FastifyReply, path: string): Promise<void> {
    return authenticated(request, reply, path, () => {
      throw new ServiceError("api.method_not_allowed", `${request.method} is not possible here.`, {
        facts: { allow: allowedMethods(routes, path) },
      });
    });
  }

  function unknownPath(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    return authenticated(request, reply, unknown, () => {
      throw nothingHere(request.method);
    });
  }

  function authenticated(
    request: FastifyRequest,
    reply: FastifyReply,
    route: string,
    make: (apiRequest: ApiRequest) => Promise<Answer>,
  ): Promise<void> {
    reply.hijack();
    const { raw } = request;
    return exchanges.run(raw, reply.raw, route, async (exchange) => {
      const given = raw.headers[requestIdHeader];
      const requestId = requestIdOf(typeof given === "string" ? given : given?.[0], deps.settings.requestIdCharsMax);
      exchange.logId = requestId;
      const caller = await deps.identity.authenticate(raw.headers, requestId);
      exchange.answerId = requestId;
      if (caller.readOnly && raw.method !== "GET" && raw.method !== "HEAD") throw lookOnly();
      const params = request.params as Record<string, string>;
      if (route !== unknown && !Object.entries(params).every(([name, text]) => canExist(request.method, name, text)))
        throw nothingHere(request.method);
      return make(new ApiRequest({ raw, response: reply.raw, caller, params, settings: deps.settings }));
    });
  }

  function publicAnswer(
    request: FastifyRequest,
    reply: FastifyReply,
    route: string,
    make: (request: FastifyRequest) => Answer | Promise<Answer>,
  ): Promise<void> {
    reply.hijack();
    return exchanges.run(request.raw, reply.raw, route, async () => make(request));
  }

  async function metricsAnswer(): Promise<Answer> {
    const { contentType, body } = await deps.gate.metrics();
    return { status: 200, headers: { "content-type": contentType }, body };
  }
}

/** Encoded slashes are slashes to the reference, whose resources have none in their names. A new tag is the domain's to refuse. */
function canExist(method: string, param: string, text: string): boolean {
  const isNew = param === "tag" && (method === "PUT" || method === "POST");
  return text !== "" && !text.includes("/") && (isNew || isStorable(text));
}

function lookOnly(): ServiceError {
  return new ServiceError("images.forbidden", "Without a valid token you may only look around.");
}

function nothingHere(method: string): ServiceError {
  if (knownMethods.includes(method)) return new ServiceError("api.unknown_path", "There is no such resource.");
  return new ServiceError("api.not_implemented", `${method} is not a method of this service.`);
}

function refuseUndecodable(): Answer {
  throw new ServiceError("api.bad_request", "The URL holds bytes that cannot be decoded.");
}

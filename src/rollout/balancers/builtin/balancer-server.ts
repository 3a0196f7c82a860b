// The embedded balancer: an HTTP balancer for one machine, run as a process of its own so that it lives on when a rollout dies.
// Its server states are set through the admin socket and kept in a file, so that they outlive the process too.
import type { Server } from "node:http";
import { Server as NetServer } from "node:net";
import { errorText, ServiceError } from "../../../core/errors.ts";
import type { Logger } from "../../../core/logger.ts";
import { createServer } from "../../../core/node-http.ts";
import { listenAdmin } from "./admin-server.ts";
import { type BalancerSettings, splitAddress } from "./balancer-settings.ts";
import { HealthChecker } from "./health-checker.ts";
import { handleRequest } from "./request-handler.ts";
import { readStates, writeStates } from "./state-file.ts";
import { Upstream } from "./upstream.ts";
import { UpstreamPool } from "./upstream-pool.ts";

const headerBytesMax = 65_536;
/** Longer than clients keep an idle connection, so that it is they who close it. */
const keepAliveMs = 75_000;
const idleCloseMs = 100;

export type RunningBalancer = {
  /** Requests under way at all servers. */
  sessions(): number;
  /** Accepts nothing new, finishes what is under way, and is then closed. Safe to call twice. */
  stop(): Promise<void>;
};

/** Throws node.port_in_use where an address or the admin socket is taken. */
export async function startBalancer(settings: BalancerSettings, logger: Logger): Promise<RunningBalancer> {
  const pool = new UpstreamPool(settings.servers.map((server) => new Upstream(server)));
  const stateFile = `${settings.admin}.states`;
  const states = new Map(readStates(stateFile));
  for (const upstream of pool.upstreams) pool.setState(upstream, states.get(upstream.name) ?? "ready");
  const checker = new HealthChecker(pool, settings);
  let stopping = false;
  const handler = { pool, holdMsMax: settings.holdMsMax, idleMsMax: settings.idleMsMax, closing: () => stopping };

  const server = createServer({
    maxHeaderSize: headerBytesMax,
    keepAliveTimeout: keepAliveMs,
    // Uploads take as long as they take; the head of a request does not.
    requestTimeout: 0,
    headersTimeout: 60_000,
    noDelay: true,
  });
  server.timeout = settings.idleMsMax;
  for (const [event, awaitsContinue] of [
    ["request", false],
    ["checkContinue", true],
  ] as const) {
    server.on(event, (request, response) => {
      handleRequest(handler, request, response, awaitsContinue).catch((error: unknown) => {
        logger.error({ err: error, method: request.method, url: request.url }, "a request could not be forwarded");
        response.destroy();
      });
    });
  }

  const admin = await listenAdmin(settings.admin, {
    upstreams: pool.upstreams,
    setState: async (upstream, state) => {
      states.set(upstream.name, state);
      writeStates(stateFile, states);
      logger.info({ server: upstream.name, from: upstream.state, to: state }, "server state");
      const leavesMaintenance = upstream.state === "maint" && state !== "maint";
      pool.setState(upstream, state);
      if (leavesMaintenance) await checker.checkNow(upstream);
    },
  });
  try {
    await checker.start();
    await listen(server, settings.listen);
  } catch (error) {
    checker.stop();
    admin.close();
    throw error;
  }
  logger.info({ listen: settings.listen, servers: settings.servers }, "balancer serves");

  const sessions = () => pool.upstreams.reduce((sum, upstream) => sum + upstream.sessions, 0);
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    stopping = true;
    const closed = new Promise<void>((resolve) => {
      // The HTTP server's own close would break idle connections that may already carry a request.
      NetServer.prototype.close.call(server, () => resolve());
    });
    const idle = setInterval(() => server.closeIdleConnections(), idleCloseMs);
    await closed;
    clearInterval(idle);
    checker.stop();
    for (const upstream of pool.upstreams) upstream.agent.destroy();
    await new Promise((resolve) => admin.close(resolve));
  };
  return {
    sessions,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

function listen(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const message = `the balancer cannot listen on ${address}: ${errorText(error)}`;
      reject(new ServiceError("node.port_in_use", message, { facts: { address }, cause: error }));
    });
    server.listen({ ...splitAddress(address), backlog: 4_096 }, resolve);
  });
}

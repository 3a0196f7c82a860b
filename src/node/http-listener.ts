// Puts an HTTP server onto the inherited socket, with the limits glance-api.conf sets for connections.
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Gate } from "../api/gate.ts";
import type { Config } from "../core/config.ts";
import { listenOptions } from "./config.ts";
import { cannotListen } from "./listen-socket.ts";
import { workerSocketFd } from "./worker-protocol.ts";

/** Throws node.port_in_use; two nodes that bound one port at the same time learn of each other only here. */
export async function listenOnInherited(server: Server, config: Config, gate: Gate): Promise<void> {
  const options = config.read(listenOptions);
  const silentMsMax = options.client_socket_timeout * 1000;
  // Uploads take as long as they take: only silence ends one.
  server.requestTimeout = 0;
  server.setTimeout(silentMsMax);
  // The client's side, above all a balancer with a pool, should be the one that ends an idle connection.
  server.keepAliveTimeout = silentMsMax;
  server.on("connection", (socket: Socket) => socket.setKeepAlive(true, options.tcp_keepidle * 1000));
  server.prependListener("request", (_request: IncomingMessage, response: ServerResponse) => {
    if (gate.draining || !options.http_keepalive) response.shouldKeepAlive = false;
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    // Of a descriptor Node takes the backlog as an argument only.
    server.listen({ fd: workerSocketFd }, options.backlog, () => {
      server.removeListener("error", reject);
      resolve();
    });
  }).catch((error) => {
    throw cannotListen({ host: options.bind_host, port: options.bind_port }, error);
  });
}

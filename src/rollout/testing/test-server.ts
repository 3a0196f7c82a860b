// A server to stand behind a balancer in tests: it says who it is, fails its health check on demand, and can hold requests.
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export type TestServer = {
  readonly name: string;
  /** host:port */
  readonly address: string;
  healthy: boolean;
  /** While this file is there its health check fails, as a node's does. */
  disableFile: string | null;
  /** What its health check says at this moment. */
  readonly passing: boolean;
  /** Requests to /hold that wait for release(). */
  readonly holding: number;
  release(): void;
  /** What it does with all other paths; by default it answers its name. */
  handle: (request: IncomingMessage, response: ServerResponse) => void;
  /** At once, whatever is under way: connections are reset. */
  stop(): Promise<void>;
};

/** `port` 0: any free one. */
export async function startTestServer(name: string, port = 0): Promise<TestServer> {
  const held = new Set<() => void>();
  const self: TestServer & { address: string } = {
    name,
    address: "",
    healthy: true,
    disableFile: null as string | null,
    get passing() {
      return self.healthy && (self.disableFile === null || !existsSync(self.disableFile));
    },
    get holding() {
      return held.size;
    },
    release() {
      for (const release of held) release();
      held.clear();
    },
    handle: (_request: IncomingMessage, response: ServerResponse) => {
      response.end(name);
    },
    async stop() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
  const server = createServer((request, response) => {
    if (request.url === "/healthcheck") {
      const said = self.passing ? "OK" : self.healthy ? "DISABLED BY FILE" : "sick";
      return response.writeHead(self.passing ? 200 : 503).end(said);
    }
    if (request.url === "/hold") return held.add(() => response.end(`held by ${name}`));
    return self.handle(request, response);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("a TCP server has an address and a port");
  self.address = `127.0.0.1:${bound.port}`;
  return self;
}

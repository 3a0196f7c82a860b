// Something on a port that is a Keystone in its faults only: slow, dying, babbling. What a sound one does is tested against a real one.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

export type BrokenKeystone = AsyncDisposable & {
  readonly url: string;
  /** Own tokens given out so far. */
  authentications: number;
  /** Validations asked for so far, by the service's token each came with. */
  readonly validations: string[];
  /** Connections taken so far. */
  connections: number;
  /** Takes an answer's place: what it does not answer stays open. Return false to have the sound answer given. */
  misbehave: (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;
  /** Seconds that tokens are valid. */
  tokenSeconds: number;
  /** Closes the port. */
  die(): Promise<void>;
  /** Opens it again. */
  revive(): Promise<void>;
};

/** `tls`: key and certificate in PEM, where it speaks HTTPS. */
export async function startBrokenKeystone(tls?: { key: Buffer; cert: Buffer }): Promise<BrokenKeystone> {
  const listener = (request: IncomingMessage, response: ServerResponse) => void answer(request, response);
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  const keystone: BrokenKeystone = {
    url: "",
    authentications: 0,
    validations: [],
    connections: 0,
    misbehave: () => false,
    tokenSeconds: 3600,
    async die() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
    async revive() {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      if (server.listening) await keystone.die();
    },
  };
  server.on("connection", () => {
    keystone.connections += 1;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return Object.assign(keystone, { url: `${tls ? "https" : "http"}://127.0.0.1:${port}` });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const own = request.method === "POST";
    if (own) keystone.authentications += 1;
    else keystone.validations.push(String(request.headers["x-auth-token"]));
    request.resume();
    if (await keystone.misbehave(request, response)) return;
    const now = Date.now();
    const token = {
      user: { id: own ? "glance" : String(request.headers["x-subject-token"]), domain: { id: "default" } },
      project: { id: "p1", domain: { id: "default" } },
      roles: [{ name: "Member" }],
      issued_at: new Date(now).toISOString(),
      expires_at: new Date(now + keystone.tokenSeconds * 1000).toISOString(),
    };
    response.setHeader("content-type", "application/json");
    if (own) response.setHeader("x-subject-token", `own-${keystone.authentications}`);
    response.writeHead(own ? 201 : 200).end(JSON.stringify({ token }));
  }
}

// A TCP proxy in front of a server, which a test can break and mend: what a network does to a node and its database.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class BreakableProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #broken = false;

  static async start(target: { readonly host: string; readonly port: number }): Promise<BreakableProxy> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new BreakableProxy(server, target);
  }

  constructor(server: Server, target: { readonly host: string; readonly port: number }) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (near) => {
      if (this.#broken) return void near.destroy();
      const far = connect(target);
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => {
          this.#sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
  }

  /** Cuts all connections and every new one. */
  break(): void {
    this.#broken = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#broken = false;
  }

  async stop(): Promise<void> {
    this.break();
    await once(this.#server.close(), "close");
  }
}

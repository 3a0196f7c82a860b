// A way to a server that can be cut and shut: what a restart of the server, or of a balancer before it, looks like from here.

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export type SeverableWay = {
  readonly port: number;
  /** Ends all connections and refuses new ones. */
  sever(): Promise<void>;
  restore(): Promise<void>;
  /** Called with every chunk on its way to the server. */
  onData: ((chunk: Buffer) => void) | null;
};

export async function severableWay(toPort: number): Promise<SeverableWay> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(toPort, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      // The other side hears of it by the end of its own connection.
      socket.on("error", () => socket.destroy());
    }
    client.on("data", (chunk: Buffer) => {
      way.onData?.(chunk);
      upstream.write(chunk);
    });
    upstream.on("data", (chunk) => client.write(chunk));
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new TypeError("a TCP server has a port");
    return address.port;
  };
  const port = await listen(0);
  const way: SeverableWay = {
    port,
    onData: null,
    async sever() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) {
        // While its end is under way Node.js (26.10) cannot reset one (EINVAL), and a process that tried never ends: it waits for that one, at full speed.
        if (socket.writableEnded) socket.destroy();
        else socket.resetAndDestroy();
      }
      await closed;
    },
    async restore() {
      await listen(port);
    },
  };
  return way;
}

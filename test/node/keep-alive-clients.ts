// Clients that keep their connections and use several nodes as a balancer's users do: a health check every 50 ms says which nodes
// are in rotation. Nothing is retried, save a connection that was refused before a request was sent.
import { Agent, get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export type ClientReport = {
  readonly served: number;
  readonly failures: readonly string[];
  /** Connections that were refused, so that the request went to the other node. */
  readonly movedOn: number;
};

const thinkMsMax = 20;
const checkMs = 50;

export class KeepAliveClients {
  readonly #options: { readonly ports: readonly number[]; readonly path: string };
  readonly #inRotation: Set<number>;
  readonly #running: Promise<void>[];
  #stopping = false;
  #served = 0;
  #movedOn = 0;
  readonly #failures: string[] = [];

  constructor(options: { ports: readonly number[]; path: string; clients: number }) {
    this.#options = options;
    this.#inRotation = new Set(options.ports);
    this.#running = [
      ...options.ports.map((port) => this.#check(port)),
      ...Array.from({ length: options.clients }, (_, index) => this.#client(index)),
    ];
  }

  /** Resolves when so many more requests were served. */
  async served(count: number): Promise<void> {
    const until = this.#served + count;
    while (this.#served < until && this.#failures.length === 0) await sleep(5);
  }

  async stop(): Promise<ClientReport> {
    this.#stopping = true;
    await Promise.all(this.#running);
    return { served: this.#served, failures: this.#failures, movedOn: this.#movedOn };
  }

  async #check(port: number): Promise<void> {
    const agent = new Agent({ keepAlive: false });
    while (!this.#stopping) {
      const status = await ask(port, "/healthcheck", agent).catch(() => 0);
      if (status === 200) this.#inRotation.add(port);
      else this.#inRotation.delete(port);
      await sleep(checkMs);
    }
    agent.destroy();
  }

  async #client(index: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!this.#stopping) {
      const ports = [...this.#inRotation];
      const port = ports[(index + this.#served) % Math.max(1, ports.length)];
      if (port === undefined) {
        this.#failures.push("no node was in rotation");
        break;
      }
      try {
        const status = await ask(port, this.#options.path, agent);
        if (status === 200) this.#served++;
        else this.#failures.push(`status ${status}`);
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ECONNREFUSED") this.#movedOn++;
        else this.#failures.push(String(error));
      }
      await sleep(Math.random() * thinkMsMax);
    }
    agent.destroy();
  }
}

function ask(port: number, path: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path, agent }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
      response.on("error", reject);
    }).on("error", reject);
  });
}

// The connection of a store to its cluster, made when it is first needed and again where the cluster has shut it out, and the pools opened on it.
import type { CephOrders, ClusterAccess, OrderName, Pool } from "./ceph-protocol.ts";
import { CephThreads, refusedWith } from "./ceph-threads.ts";

type Connected = CephOrders["connect"]["gives"] & { readonly pools: Map<string, Promise<Pool>> };

/** What begins something, on the connection there is; all else goes on with an image that is open, maybe on one of before. */
const beginnings: ReadonlySet<OrderName> = new Set(["openPool", "freeBytes", "create", "open", "remove"]);

export class CephConnection {
  readonly #access: ClusterAccess;
  readonly #threads = new CephThreads();
  #connecting: Promise<Connected> | null = null;

  constructor(access: ClusterAccess) {
    this.#access = access;
  }

  /** Throws CephFailure, as everything here. */
  async connected(): Promise<Omit<Connected, "pools">> {
    return await this.#connected();
  }

  /** Throws ENOENT where the cluster has no such pool. */
  async pool(name: string): Promise<Pool> {
    const { cluster, pools } = await this.#connected();
    const known = pools.get(name);
    if (known) return await known;
    const opening = this.order("openPool", { cluster, name });
    pools.set(name, opening);
    opening.catch(() => pools.delete(name));
    return await opening;
  }

  async order<Name extends OrderName>(
    name: Name,
    given: CephOrders[Name]["given"],
    moved?: ArrayBuffer,
  ): Promise<CephOrders[Name]["gives"]> {
    const connecting = this.#connecting;
    try {
      return await this.#threads.order(name, given, moved);
    } catch (error) {
      // The cluster has put this client on its block list: what is open fails for good, and only a new connection is served. The old one is
      // left to its transfers, and dropped once however many calls fail on it.
      const shutOut = beginnings.has(name) && refusedWith(error, "ESHUTDOWN");
      if (shutOut && this.#connecting === connecting) this.#connecting = null;
      throw error;
    }
  }

  /** For when no transfer is under way. Safe to call twice. */
  async close(): Promise<void> {
    const connecting = this.#connecting;
    this.#connecting = null;
    const connected = await connecting?.catch(() => null);
    if (connected) {
      for (const opening of connected.pools.values()) {
        const pool = await opening.catch(() => null);
        if (pool !== null) await this.#threads.order("closePool", { pool });
      }
      await this.#threads.order("disconnect", { cluster: connected.cluster });
    }
    await this.#threads.close();
  }

  #connected(): Promise<Connected> {
    if (this.#connecting) return this.#connecting;
    const connecting = this.#connect();
    this.#connecting = connecting;
    connecting.catch(() => {
      if (this.#connecting === connecting) this.#connecting = null;
    });
    return connecting;
  }

  async #connect(): Promise<Connected> {
    // Node.js unloads a native module with the last thread that has it, where the main thread has not: code that may still be needed by what the
    // end of a thread sets off. Here it stays.
    await import("koffi");
    return { ...(await this.#threads.order("connect", this.#access)), pools: new Map() };
  }
}

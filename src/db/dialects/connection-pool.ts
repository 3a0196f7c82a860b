// Keeps connections to one server: opened when needed, reused newest first, checked after a pause, replaced when old or lost.
import { ServiceError } from "../../core/errors.ts";

/** What the pool needs of a connection, whatever database it leads to. */
export interface PoolableConnection {
  readonly openedMs: number;
  /** When it was last given back; written by the pool. */
  idleSinceMs: number;
  /** Aborts when the connection is of no use any more, and when it is closed. */
  readonly gone: AbortSignal;
  /** True where the server answers in time; otherwise the connection is destroyed. Never throws. */
  isAlive(): Promise<boolean>;
  /** Parts from the server politely, without waiting for it. Safe to call twice. */
  end(): void;
}

export type PoolLimits = {
  readonly connectionsMax: number;
  /** Idle connections beyond this are closed after a while. */
  readonly idleMax: number;
  readonly waitMsMax: number;
  /** Older connections are replaced; null: never. */
  readonly ageMsMax: number | null;
};

/** A connection that idled for longer is asked whether it still is there: firewalls and restarts leave dead ones behind. */
const checkAfterIdleMs = 1_000;
const sweepEveryMs = 30_000;
/** Opened at the same time: in a burst most requests are served sooner by connections that come back than by ones of their own. */
const openingMax = 3;

type Waiter<C> = { readonly resolve: (connection: C) => void; readonly reject: (error: unknown) => void };

export class ConnectionPool<C extends PoolableConnection> {
  readonly #open: () => Promise<C>;
  readonly #limits: PoolLimits;
  readonly #idle: C[] = [];
  readonly #waiters = new Set<Waiter<C>>();
  readonly #sweeper: NodeJS.Timeout;
  /** Those being opened included. */
  #connections = 0;
  #opening = 0;
  #closing: PromiseWithResolvers<void> | null = null;

  constructor(open: () => Promise<C>, limits: PoolLimits) {
    this.#open = open;
    this.#limits = limits;
    this.#sweeper = setInterval(() => this.#sweep(), sweepEveryMs).unref();
  }

  /** Throws db.unreachable where none comes free in time. Every connection must be given back by `release`. */
  async acquire(): Promise<C> {
    if (this.#closing) throw closed();
    for (let connection = this.#idle.pop(); connection; connection = this.#idle.pop()) {
      if (await this.#isUsable(connection)) return connection;
      this.#forget(connection);
    }
    // Closing may have begun while we asked an old connection whether it lives.
    if (this.#closing) throw closed();
    return await this.#wait();
  }

  release(connection: C): void {
    if (connection.gone.aborted || this.#closing || this.#isOld(connection)) {
      this.#forget(connection);
      this.#grow();
      return;
    }
    connection.idleSinceMs = performance.now();
    const [waiter] = this.#waiters;
    if (waiter) waiter.resolve(connection);
    else this.#idle.push(connection);
  }

  /** Resolves when every connection was given back. Safe to call twice. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#closing ??= Promise.withResolvers<void>();
    for (const waiter of this.#waiters) waiter.reject(closed());
    for (const connection of this.#idle.splice(0)) this.#forget(connection);
    if (this.#connections === 0) this.#closing.resolve();
    await this.#closing.promise;
  }

  async #isUsable(connection: C): Promise<boolean> {
    if (connection.gone.aborted || this.#isOld(connection)) return false;
    return performance.now() - connection.idleSinceMs < checkAfterIdleMs || (await connection.isAlive());
  }

  #isOld(connection: C): boolean {
    const { ageMsMax } = this.#limits;
    return ageMsMax !== null && performance.now() - connection.openedMs > ageMsMax;
  }

  #wait(): Promise<C> {
    return new Promise((resolve, reject) => {
      const { waitMsMax, connectionsMax } = this.#limits;
      const settle = () => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter<C> = {
        resolve: (connection) => {
          settle();
          resolve(connection);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const timer = setTimeout(() => {
        const message = `none of ${connectionsMax} database connections came free within ${waitMsMax / 1_000} s; see [database] max_overflow`;
        waiter.reject(new ServiceError("db.unreachable", message, { facts: { connectionsMax } }));
      }, waitMsMax);
      this.#waiters.add(waiter);
      this.#grow();
    });
  }

  /** Opens for those who wait. Who waits first gets what comes first, a new connection or one given back; or learns why there is none. */
  #grow(): void {
    while (
      this.#waiters.size > this.#opening &&
      this.#opening < openingMax &&
      this.#connections < this.#limits.connectionsMax &&
      !this.#closing
    ) {
      this.#opening++;
      this.#connections++;
      this.#open().then(
        (connection) => {
          this.#opening--;
          this.release(connection);
          this.#grow();
        },
        (error) => {
          this.#opening--;
          this.#uncount();
          const [waiter] = this.#waiters;
          waiter?.reject(error);
          this.#grow();
        },
      );
    }
  }

  #forget(connection: C): void {
    connection.end();
    this.#uncount();
  }

  #uncount(): void {
    this.#connections--;
    if (this.#connections === 0) this.#closing?.resolve();
  }

  #sweep(): void {
    const nowMs = performance.now();
    // Oldest first: reuse takes from the end.
    while (this.#idle.length > this.#limits.idleMax) {
      const [oldest] = this.#idle;
      if (!oldest || nowMs - oldest.idleSinceMs < sweepEveryMs) return;
      this.#idle.shift();
      this.#forget(oldest);
    }
  }
}

/** A mistake of ours, not of the database: who still works with it is stopped before it is. */
function closed(): Error {
  return new Error("a statement came after the database was closed");
}

// Reloads of a node: the files as they are now become a new generation beside the one that serves, and take its place when all of it stands.
// Where anything of it fails, nothing has changed.
import { errorText } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { Crew } from "./crew.ts";
import { type Generation, guard } from "./generation.ts";
import { bindSocket } from "./listen-socket.ts";
import { nodeAddress } from "./node-address.ts";
import { readNodeSettings } from "./node-settings.ts";
import { loggerFor } from "./open-logger.ts";
import type { NodeParts } from "./parts.ts";
import type { NodeRegistry } from "./registry.ts";
import type { Rounds } from "./rounds.ts";
import type { ServiceManager } from "./service-manager.ts";
import type { SupervisorOptions } from "./supervisor.ts";
import { warnOfUnknown } from "./warn-of-unknown.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** The node as a reload finds it; asked again whenever something was awaited. */
export type ReloadView = {
  readonly serving: boolean;
  readonly current: Generation;
  readonly registry: NodeRegistry;
  readonly rounds: Rounds;
  readonly logger: Logger;
  readonly statusLine: string;
  /** For log lines. */
  readonly facts: Readonly<Record<string, string | number>>;
};

export type ReloadDeps = {
  readonly options: Pick<SupervisorOptions, "readConfig" | "openParts">;
  readonly manager: ServiceManager;
  readonly crew: Crew;
  readonly view: () => ReloadView;
  readonly newPool: (of: Pick<Generation, "config" | "settings" | "socket">) => WorkerPool;
  /** From here on this is the node. */
  readonly replace: (next: Generation, logger: Logger) => void;
  /** For work nobody waits for. */
  readonly afterwards: (work: Promise<void>) => void;
};

export class Reload {
  readonly #deps: ReloadDeps;
  #running: Promise<void> | null = null;
  #again = false;

  constructor(deps: ReloadDeps) {
    this.#deps = deps;
  }

  /** null: none is under way. */
  get running(): Promise<void> | null {
    return this.#running;
  }

  /** Where one is under way, it is done once more after it; where `later`, it is noted for takeNote. Never throws. */
  async ask({ later }: { readonly later: boolean }): Promise<void> {
    const busy = this.#running !== null || later;
    this.#again = busy;
    if (busy) return;
    this.#running = this.#whileAsked();
    await this.#running;
    this.#running = null;
  }

  /** Whether one was asked for that is still to be done; it is the caller's then. */
  takeNote(): boolean {
    const noted = this.#again;
    this.#again = false;
    return noted;
  }

  async #whileAsked(): Promise<void> {
    const { manager, view } = this.#deps;
    do {
      this.#again = false;
      manager.reloading();
      try {
        await this.#once();
        view().logger.info(view().facts, "reloaded");
      } catch (error) {
        view().logger.error({ error: errorText(error) }, "reload refused; the node goes on as it was");
      }
      manager.ready(view().statusLine);
    } while (this.#again && view().serving);
  }

  async #once(): Promise<void> {
    const { options, crew, view, newPool, replace, afterwards } = this.#deps;
    const { current: old, registry, rounds } = view();
    const config = options.readConfig();
    const settings = readNodeSettings(config);
    const logger = loggerFor(config, { config: old.config, logger: view().logger });
    const moves = settings.host !== old.settings.host || settings.port !== old.settings.port;
    const socket = moves && !old.socket.inherited ? await bindSocket(settings) : old.socket;
    const opened: { parts?: NodeParts; pool?: WorkerPool } = {};
    try {
      const parts = await options.openParts(config, { nodeName: registry.name, logger, patient: false });
      opened.parts = parts;
      await guard(parts);
      await parts.ensureTables();
      this.#requireServing();
      const pool = newPool({ config, settings, socket });
      opened.pool = pool;
      // From here on the row shows the older of both releases, and it must do so before a worker of an older one starts.
      crew.add(pool, settings.release);
      await rounds.beat();
      this.#requireServing();
      await pool.start();
      replace({ config, settings, socket, parts, pool }, logger);
    } catch (error) {
      if (opened.pool) crew.remove(opened.pool);
      if (socket !== old.socket) socket.close();
      await opened.parts?.close();
      throw error;
    }
    warnOfUnknown(config, logger);
    registry.records = view().current.parts.nodes;
    registry.address = nodeAddress(socket);
    if (socket !== old.socket) old.socket.close();
    await old.pool.leave("retire");
    afterwards(this.#retire(old));
  }

  #requireServing(): void {
    if (!this.#deps.view().serving) throw new Error("the node is leaving");
  }

  /** The workers of before may take hours to finish; what the rounds under way still use is closed after them. */
  async #retire(old: Generation): Promise<void> {
    const { rounds } = this.#deps.view();
    await rounds.idle();
    await old.parts.close();
    await old.pool.ended();
    this.#deps.crew.remove(old.pool);
    rounds.soon();
  }
}

// The node's row in the fleet's registry: claims the name, keeps the row alive, says when the node has left. Contract reads these
// rows to learn whether an older release may still write, so a row never shows a newer release than any process of the node speaks.
//
//   no row, stopped, silent for long, or our dead predecessor's --register--> ours --beat--> ours --leave--> stopped
//                                                                              `--someone else's pid--> taken (out of rotation)
import { ServiceError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { NodeRow } from "../db/repositories/node-repository.ts";
import { nodeLiveSeconds } from "../db/schema/own-tables.ts";
import { isReleaseId, type ReleaseId, releaseOf } from "../releases/catalogue.ts";
import { workersOf } from "./orphans.ts";
import type { NodeRecords, NodeState } from "./parts.ts";
import { runsGlanceApi } from "./pid-file.ts";
import { noTransfers, type TransferSummary } from "./transfer-summary.ts";

export type Heartbeat = {
  readonly state: NodeState;
  /** The oldest release any worker of this node speaks. */
  readonly release: ReleaseId;
  readonly transfers: TransferSummary;
  readonly p99Ms: number | null;
};

export class NodeRegistry {
  readonly name: string;
  /** Changes when a reload moves the node to another port. */
  address: string;
  /** Replaced by a reload. */
  records: NodeRecords;
  readonly #packageVersion: string;
  readonly #pid: number;
  readonly #logger: () => Logger;
  #ours = false;
  /** A killed predecessor of an older release, whose workers may still be at work. */
  #predecessor: { readonly release: ReleaseId; readonly pid: number; readonly untilMs: number } | null = null;
  #address: string;

  constructor(options: {
    name: string;
    address: string;
    records: NodeRecords;
    packageVersion: string;
    pid: number;
    logger: () => Logger;
  }) {
    this.name = options.name;
    this.address = options.address;
    this.#address = options.address;
    this.records = options.records;
    this.#packageVersion = options.packageVersion;
    this.#pid = options.pid;
    this.#logger = options.logger;
  }

  /** Claims the name. Throws node.start_refused where another living node has it. */
  async register(release: ReleaseId): Promise<void> {
    const found = await this.records.find(this.name);
    const holder = found?.record;
    if (found && holder && this.#alive(found.record, found.silentSeconds)) throw this.#nameTaken(found);
    if (holder && holder.state !== "stopped" && holder.address === this.address) this.#remember(holder);
    const record = this.#record({ state: "starting", release, transfers: noTransfers, p99Ms: null });
    if (!(await this.records.claim(record, holder))) {
      const winner = await this.records.find(this.name);
      throw winner
        ? this.#nameTaken(winner)
        : new ServiceError("node.start_refused", `the registry row of ${this.name} vanished; start the node again`);
    }
    this.#ours = true;
    this.#address = this.address;
  }

  /** Renews the row. False where another node goes by our name, which then must not be served under it. */
  async beat(beat: Heartbeat): Promise<boolean> {
    const record = this.#record(beat);
    // The row is found by the address it was last written with.
    if (await this.records.beat({ ...record, address: this.#address })) {
      if (this.address !== this.#address) await this.#move(record);
      return true;
    }
    const found = await this.records.find(this.name);
    if (found && this.#alive(found.record, found.silentSeconds)) {
      if (this.#ours) this.#logger().error(this.#nameTaken(found).message);
      this.#ours = false;
      return false;
    }
    this.#ours = await this.records.claim(record, found?.record);
    this.#address = this.address;
    return this.#ours;
  }

  /** Says that the node has left, where it was ever registered. */
  async leave(release: ReleaseId): Promise<void> {
    if (!this.#ours) return;
    this.#ours = false;
    const record = this.#record({ state: "stopped", release, transfers: noTransfers, p99Ms: null });
    await this.records.beat({ ...record, address: this.#address });
  }

  async #move(record: NodeRow): Promise<void> {
    if (await this.records.claim(record, { ...record, address: this.#address })) this.#address = this.address;
  }

  #record(beat: Heartbeat): NodeRow {
    return {
      name: this.name,
      address: this.address,
      packageVersion: this.#packageVersion,
      pid: this.#pid,
      ...beat,
      release: this.#withPredecessor(beat.release),
    };
  }

  #alive(holder: NodeRow, silentSeconds: number): boolean {
    if (holder.state === "stopped" || silentSeconds > nodeLiveSeconds) return false;
    // The same address is this machine, where we can look; a container's processes often get the same id each time.
    if (holder.address !== this.address) return true;
    return holder.pid !== this.#pid && runsGlanceApi(holder.pid);
  }

  #nameTaken(found: { readonly record: NodeRow; readonly silentSeconds: number }): ServiceError {
    const { address, pid } = found.record;
    const ago = Math.max(0, Math.round(found.silentSeconds));
    const message = `the name ${this.name} belongs to a node at ${address} (process ${pid}, last heartbeat ${ago} s ago); stop that one, or give this one a [perennial] node_name of its own`;
    return new ServiceError("node.start_refused", message, { facts: { name: this.name, address, pid } });
  }

  #remember(holder: NodeRow): void {
    if (!isReleaseId(holder.release)) return;
    this.#predecessor = {
      release: holder.release,
      pid: holder.pid,
      untilMs: performance.now() + nodeLiveSeconds * 1000,
    };
  }

  /** The older of our release and that of a predecessor whose workers may still write. */
  #withPredecessor(release: ReleaseId): ReleaseId {
    const before = this.#predecessor;
    if (!before) return release;
    const workers = workersOf(before.pid);
    const gone = before.pid === this.#pid || workers?.length === 0 || performance.now() > before.untilMs;
    if (gone) this.#predecessor = null;
    return gone ? release : oldestOf([release, before.release]);
  }
}

export function oldestOf(ids: readonly [ReleaseId, ...ReleaseId[]]): ReleaseId {
  return ids.reduce((oldest, id) => (releaseOf(id).order < releaseOf(oldest).order ? id : oldest));
}

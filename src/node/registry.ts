// The node's row in the fleet's registry: claims the name, keeps the row alive, says when the node has left. Contract reads these
// rows to learn whether an older release may still write, so a row never shows a newer release than any process of the node speaks.
//
//   no row, stopped, silent for long, or our dead predecessor's --register--> ours --beat--> ours --leave--> stopped
//                                                                              `--someone else's pid--> taken (out of rotation)
//
// In a hand-over two processes of one node have a row each: the one that has not taken over yet, or has handed over, stands beside the
// name (besideName), and its row is removed when it is gone. At no moment is there a process that may write and has no row.
import { ServiceError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { besideName, type NodeRow, nodeBesides } from "../db/repositories/node-repository.ts";
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
  #rowName: string;
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
    this.#rowName = options.name;
    this.address = options.address;
    this.#address = options.address;
    this.records = options.records;
    this.#packageVersion = options.packageVersion;
    this.#pid = options.pid;
    this.#logger = options.logger;
  }

  /** Claims a row beside the name, which the process we take over from still has. */
  async registerBeside(release: ReleaseId): Promise<void> {
    await this.#standBeside({ state: "starting", release, transfers: noTransfers, p99Ms: null });
    this.#ours = true;
    this.#address = this.address;
  }

  /** Stands beside the name from now on, so that the process that takes over can have it. */
  async stepAside(beat: Heartbeat): Promise<void> {
    await this.#standBeside(beat);
  }

  /** Nobody took over: the name is ours again with the next heartbeat. */
  async stepBack(): Promise<void> {
    const beside = this.#rowName;
    this.#rowName = this.name;
    if (beside !== this.name) await this.#drop(beside);
  }

  /** Has the name from the process we take over from, or as `register` where that one is gone. Throws node.start_refused. */
  async takeName(release: ReleaseId, predecessor: number): Promise<void> {
    const beside = this.#rowName;
    const holder = (await this.records.find(this.name))?.record;
    const handed = holder?.pid === predecessor && holder.address === this.address && runsGlanceApi(predecessor);
    const record = this.#record({ state: "starting", release, transfers: noTransfers, p99Ms: null });
    if (handed && (await this.records.claim({ ...record, name: this.name }, holder))) this.#rowName = this.name;
    else await this.register(release);
    await this.#drop(beside);
  }

  /** Claims the name. Throws node.start_refused where another living node has it. */
  async register(release: ReleaseId): Promise<void> {
    this.#rowName = this.name;
    await this.#forgetDead();
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
    const found = await this.records.find(this.#rowName);
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
    if (this.#rowName !== this.name) return this.#drop(this.#rowName);
    const record = this.#record({ state: "stopped", release, transfers: noTransfers, p99Ms: null });
    await this.records.beat({ ...record, address: this.#address });
  }

  async #standBeside(beat: Heartbeat): Promise<void> {
    const name = besideName(this.name, this.#pid);
    const record = { ...this.#record(beat), name };
    // A row of this name is that of a process that had our id before, and is gone.
    if (!(await this.records.claim(record, (await this.records.find(name))?.record)))
      throw new ServiceError("node.start_refused", `the registry row ${name} belongs to another process; try again`);
    this.#rowName = name;
  }

  async #drop(name: string): Promise<void> {
    await this.records.drop({ name, pid: this.#pid, address: this.#address });
  }

  /** Processes of this node that were killed while they stood beside it left rows that nobody removes. */
  async #forgetDead(): Promise<void> {
    for (const { record, silentSeconds } of await this.records.list())
      if (nodeBesides(record.name) === this.name && silentSeconds > nodeLiveSeconds) await this.records.drop(record);
  }

  async #move(record: NodeRow): Promise<void> {
    if (await this.records.claim(record, { ...record, address: this.#address })) this.#address = this.address;
  }

  #record(beat: Heartbeat): NodeRow {
    return {
      name: this.#rowName,
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

// The node's own options in the shape it uses: numbers with units, defaults that depend on the machine filled in.
import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import type { Config } from "../core/config.ts";
import { isReleaseId, type ReleaseId } from "../releases/catalogue.ts";
import { listenOptions, nodeOptions } from "./config.ts";

export type NodeSettings = {
  readonly release: ReleaseId;
  /** null: host name and port. */
  readonly nodeName: string | null;
  readonly pidFile: string | null;
  readonly host: string;
  readonly port: number;
  readonly workers: number;
  /** null: the command line this process was started with. */
  readonly handOverCommand: string | null;
  readonly handOverMsMax: number;
  readonly heartbeatMs: number;
  readonly reclaimMs: number;
  readonly settleMs: number;
  /** 0: none. */
  readonly drainDeadlineMs: number;
};

/** As many as Glance starts of its own accord. */
const workersMax = 8;

export function readNodeSettings(config: Config): NodeSettings {
  const listen = config.read(listenOptions);
  const node = config.read(nodeOptions);
  assert(isReleaseId(node.release), "the option's choices are the catalogue's releases");
  return {
    release: node.release,
    nodeName: node.node_name || null,
    pidFile: node.pid_file || null,
    host: listen.bind_host,
    port: listen.bind_port,
    workers: Math.max(1, listen.workers ?? Math.min(workersMax, availableParallelism())),
    handOverCommand: node.handover_command || null,
    handOverMsMax: node.handover_deadline_seconds * 1000,
    heartbeatMs: node.heartbeat_seconds * 1000,
    // An expired lease is seen soon after it expired, whichever node looks first.
    reclaimMs: Math.min(10_000, node.upload_lease_seconds * 250),
    settleMs: node.drain_settle_seconds * 1000,
    drainDeadlineMs: node.drain_deadline_seconds * 1000,
  };
}

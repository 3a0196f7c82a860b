// Puts the parts of a rollout together from the fleet file: the one place where node, balancer and database drivers are chosen.

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../core/clock.ts";
import { loadConfig } from "../../core/config.ts";
import { errorText, ServiceError } from "../../core/errors.ts";
import { packageRoot } from "../../core/package-files.ts";
import { readDatabaseConfig } from "../../db/connect.ts";
import { parseDatabaseUrl } from "../../db/url.ts";
import { type ReleaseId, releaseOf } from "../../releases/catalogue.ts";
import type { Balancer } from "../../rollout/balancers/balancer.ts";
import { createBuiltinBalancer } from "../../rollout/balancers/builtin/builtin-balancer.ts";
import { createCommandBalancer } from "../../rollout/balancers/command/command-balancer.ts";
import { createHaproxyBalancer } from "../../rollout/balancers/haproxy/haproxy-balancer.ts";
import { createHealthBalancer } from "../../rollout/balancers/health/health-balancer.ts";
import { localNodeFile } from "../../rollout/balancers/health/node-file.ts";
import { createNginxBalancer } from "../../rollout/balancers/nginx/nginx-balancer.ts";
import { DatabaseView } from "../../rollout/database-view.ts";
import type { Plan } from "../../rollout/decide.ts";
import type { Fleet } from "../../rollout/fleet.ts";
import type { FleetParts } from "../../rollout/fleet-world.ts";
import { createCommandNode } from "../../rollout/nodes/command/command-node.ts";
import { GlanceProcess } from "../../rollout/nodes/glance/glance-process.ts";
import { TakenNode, type TakenNodeOptions } from "../../rollout/nodes/glance/taken-node.ts";
import { type HostShell, localShell } from "../../rollout/nodes/host-shell.ts";
import { createLocalNode } from "../../rollout/nodes/local/local-node.ts";
import { readNodeConfig } from "../../rollout/nodes/local/node-config.ts";
import type { NodeDriver } from "../../rollout/nodes/node-driver.ts";
import type { FleetNode } from "../../rollout/nodes/node-schemas.ts";
import { sshHost } from "../../rollout/nodes/ssh/ssh-host.ts";
import { createSshNode } from "../../rollout/nodes/ssh/ssh-node.ts";
import { sshNodeFile } from "../../rollout/nodes/ssh/ssh-node-file.ts";
import { configuration } from "../wire-options.ts";

export type RolloutParts = FleetParts & {
  /** For people, without password. */
  readonly databaseName: string;
  close(): Promise<void>;
};

export type WireOptions = {
  readonly rolloutId: string;
  readonly journaled?: FleetParts["journaled"];
  readonly onLook?: FleetParts["onLook"];
  /** Absent: one is opened when it is first needed. */
  readonly database?: DatabaseView;
  /** Of a rollback: the release the schema was on the way to. */
  readonly engineRelease?: ReleaseId;
  readonly acceptLosses?: boolean;
  /** Of a take-over from Glance, or a return to it: what is to serve in the end. */
  readonly goal?: TakenNodeOptions["goal"];
};

/** Opens nothing yet. Throws config.invalid, rollout.fleet_invalid. */
export function wireRollout(fleet: Fleet, options: WireOptions): RolloutParts {
  const { rolloutId, journaled = () => [], onLook, database = databaseOf(fleet) } = options;
  const databaseUrl = databaseUrlOf(fleet);
  const names = fleet.nodes.map((node) => node.name);
  return {
    fleet,
    rolloutId,
    journaled,
    drivers: new Map(fleet.nodes.map((node) => [node.name, createDriver(node, options.goal ?? null)])),
    balancer: createBalancer(fleet, names),
    database,
    databaseUrl,
    databaseConfig: () => databaseConfig(fleet),
    databaseName: parseDatabaseUrl(databaseUrl).display,
    engineRelease: options.engineRelease ?? fleet.target,
    acceptLosses: options.acceptLosses === true,
    packageRoot,
    clock: systemClock,
    ...(onLook && { onLook }),
    close: () => database.close(),
  };
}

/** Said before anything is asked or touched, rather than when the node's turn has come. Throws config.invalid. */
export function checkNodeConfigs(fleet: Fleet): void {
  for (const node of fleet.nodes) if (node.driver === "local") readNodeConfig(node.config);
}

/** Opens nothing yet. Whose lease has to be waited for is told on standard error. */
export function databaseOf(fleet: Fleet, way: Plan["way"] = "forward"): DatabaseView {
  const onWait = (told: string) => {
    process.stderr.write(
      `glance-rollout: ${told} has the fleet and may live; waiting for a sign of life or the end of its lease\n`,
    );
  };
  return new DatabaseView({
    url: databaseUrlOf(fleet),
    way,
    target: releaseOf(fleet.target),
    clock: systemClock,
    onWait,
  });
}

/** How careful a rollout is, in the decision core's words. */
export function planOf(fleet: Fleet, way: Plan["way"] = "forward"): Plan {
  return {
    way,
    target: fleet.target,
    servingMin: fleet.servingMin,
    drain: fleet.drain,
    settleMsMax: 3_000,
    batches: fleet.batches,
    startMsMax: fleet.startMsMax,
    healthMsMax: fleet.health.msMax,
    minHealthyMs: fleet.health.minMs,
    soakMs: fleet.soakMs,
    canary: fleet.gates.canary ?? null,
    startsMax: 3,
    failuresMax: 3,
    // Longer than a node's heartbeats count after its death.
    strangersMsMax: 60_000,
    until: null,
    strategy: fleet.strategy,
  };
}

function createDriver(node: FleetNode, goal: TakenNodeOptions["goal"]): NodeDriver {
  const own = createOwnDriver(node);
  const at = node.glance;
  if (!at) return own;
  return new TakenNode({ own, glance: glanceOf(node, at), release: at.release, goal });
}

/** What its host shows of a node's Glance. */
export function glanceOf(node: FleetNode, at: NonNullable<FleetNode["glance"]>): GlanceProcess {
  return new GlanceProcess(node.name, at, shellOf(node), systemClock);
}

/** The shell of a node's host. Only nodes whose driver has one have a Glance. */
export function shellOf(node: FleetNode): HostShell {
  return node.driver === "ssh" ? sshHost(node) : localShell;
}

function createOwnDriver(node: FleetNode): NodeDriver {
  switch (node.driver) {
    case "local":
      return createLocalNode(node, systemClock);
    case "ssh":
      return createSshNode(node, systemClock);
    case "command":
      return createCommandNode(node);
  }
}

function createBalancer(fleet: Fleet, names: readonly string[]): Balancer {
  const { balancer } = fleet;
  switch (balancer.driver) {
    case "haproxy":
      return createHaproxyBalancer(balancer, names, systemClock);
    case "builtin":
      return createBuiltinBalancer(balancer, names);
    case "nginx":
      return createNginxBalancer(balancer, names, systemClock);
    case "command":
      return createCommandBalancer(balancer, names, systemClock);
    case "health": {
      const nodes = fleet.nodes.map((node) => {
        const path = balancer.disableFile.replaceAll("{node}", node.name);
        const file = node.driver === "ssh" ? sshNodeFile(node, path) : localNodeFile(path);
        return { name: node.name, address: node.address, file };
      });
      return createHealthBalancer(balancer, nodes, systemClock);
    }
  }
}

/** Throws config.invalid. */
export function databaseUrlOf(fleet: Fleet): string {
  if ("connection" in fleet.database) return fleet.database.connection;
  return readDatabaseConfig(loadConfig({ files: [fleet.database.config], ...configuration })).url;
}

/** glance-manage reads the database from a file; where the fleet file has the URL itself, one is written that only we may read. */
export function databaseConfig(fleet: Fleet): string {
  if ("config" in fleet.database) return fleet.database.config;
  const path = join(fleet.journal, `${fleet.name}-database.conf`);
  const text = `# Written by glance-rollout from ${fleet.file}.\n[database]\nconnection = ${fleet.database.connection.replaceAll("$", "$$$$")}\n`;
  try {
    mkdirSync(fleet.journal, { recursive: true });
    writeFileSync(path, text, { mode: 0o600 });
    chmodSync(path, 0o600);
  } catch (error) {
    const message = `cannot write ${path}: ${errorText(error)}; make the journal's folder writable for glance-rollout`;
    throw new ServiceError("rollout.fleet_invalid", message, { facts: { path }, cause: error });
  }
  return path;
}

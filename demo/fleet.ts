// Builds a whole fleet in a folder of its own: a database at one release, real glance-api processes on it, a balancer before them, and
// the fleet.yaml by which a rollout takes it to another. The demo, the upgrade tests and the client tests stand on it.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { shareCompileCache } from "../scripts/compile-cache.ts";
import { StopStack } from "../src/core/lifecycle.ts";
import type { ReleaseId } from "../src/releases/catalogue.ts";
import type { Strategy } from "../src/rollout/decide.ts";
import { eventually } from "../test/servers/eventually.ts";
import { freePorts } from "../test/servers/free-port.ts";
import { startHaproxy } from "../test/servers/haproxy.ts";
import { type DatabaseKind, makeDatabase } from "./database.ts";
import { type BalancerFile, fleetFile, type NodeFiles, nodeConfig } from "./fleet-files.ts";
import { type HostKind, type Hosts, startHosts } from "./hosts.ts";
import { binary, type Finished, finish, guardFolder, startDetached } from "./processes.ts";

/** none: clients ask the nodes themselves; there is no fleet.yaml then. */
export type BalancerKind = "builtin" | "haproxy" | "none";

export type FleetOptions = {
  /** Made, and removed at the end unless kept. */
  folder: string;
  nodes: number;
  database: DatabaseKind;
  /** An empty database that exists already, as its several servers have it: each node takes the next of them, a rollout the last. */
  connections?: readonly string[];
  balancer: BalancerKind;
  /** HAProxy has a master process, which can reload it. */
  reloads?: boolean;
  /** What nodes run on. Default processes. */
  hosts?: HostKind;
  /** How rollouts upgrade a node. Default drain. */
  strategy?: Strategy;
  /** What database and nodes are at when it stands. Default newton. */
  from?: ReleaseId;
  /** Where rollouts and glance-manage lead. Default ocata. */
  to?: ReleaseId;
  keep?: boolean;
  /** Lines of every node's glance-api.conf that make it another than the demo's. */
  more?: string;
  /** Installed packages by release, from which nodes are started; absent: this checkout speaks all of them. */
  packages?: Readonly<Partial<Record<ReleaseId, string>>>;
  /** By which rollouts try nodes out. Absent: one of flavor fakeauth. */
  probeToken?: string;
  /** Says what is being done, for people who wait. */
  progress?: (text: string) => void;
};

export type FleetNode = NodeFiles & { readonly config: string; readonly pidFile: string };

export type RunningFleet = {
  readonly folder: string;
  readonly file: string;
  /** `http://host:port` of the balancer. */
  readonly origin: string;
  /** By which rollouts and glance-manage work. */
  readonly connection: string;
  readonly nodes: readonly FleetNode[];
  /** What glance-manage reads; its target is `to`. */
  readonly config: string;
  /** From now on rollouts and glance-manage lead to this release, by way of this connection where the usual one is no more. */
  aim(target: ReleaseId, connection?: string): Promise<void>;
  /** glance-manage on the fleet's database. */
  manage(...args: string[]): Promise<Finished>;
  startNode(node: FleetNode): Promise<void>;
  /** Of who runs glance-rollout on it. */
  readonly env: NodeJS.ProcessEnv;
  /** As the unit's ExecReload does, with the states of servers saved before. Only where `reloads` was asked for. */
  reloadBalancer(): Promise<void>;
  /** The supervisor's process id; undefined where the node does not run. */
  pidOf(node: FleetNode): number | undefined;
  stop(): Promise<void>;
};

export async function startFleet(options: FleetOptions): Promise<RunningFleet> {
  shareCompileCache();
  await mkdir(options.folder, { recursive: true });
  const guard = guardFolder(options.folder, { keep: options.keep ?? false });
  const servers = new StopStack();
  const hosts = new StopStack();
  const stop = async () => {
    // Nodes and balancer go before the database under them, which could not drop what they still use; and what would start a node that died goes
    // before the nodes.
    await hosts.stop();
    await guard.stop();
    await servers.stop();
  };
  try {
    const first = options.packages?.[options.from ?? "newton"];
    const program = first === undefined ? undefined : [process.execPath, join(first, "bin/glance-api.js")];
    const placed = await startHosts(options.hosts ?? "processes", program);
    hosts.defer(() => placed.stop());
    return Object.assign(await build(options, servers, placed), { stop });
  } catch (error) {
    await stop();
    throw error;
  }
}

async function build(options: FleetOptions, servers: StopStack, hosts: Hosts): Promise<Omit<RunningFleet, "stop">> {
  const { folder, from = "newton", to = "ocata", strategy = "drain", progress = () => undefined } = options;
  const imageFolder = join(folder, "images");
  await mkdir(imageFolder, { recursive: true });
  const connections = options.connections ?? [await ownDatabase(options, servers)];
  const connection = connections.at(-1) ?? assert.fail("a fleet has a database");
  const settings = options.more === undefined ? {} : { more: options.more };
  const token = options.probeToken === undefined ? {} : { token: options.probeToken };
  const packages = options.packages === undefined ? {} : { packages: options.packages };
  const ports = await freePorts(options.nodes + 1);
  const nodes = await Promise.all(
    ports.slice(1).map(async (port, index) => {
      const node = describeNode(folder, `n${index + 1}`, `127.0.0.1:${port}`);
      await mkdir(node.folder, { recursive: true });
      await writeFile(
        node.config,
        nodeConfig({
          node,
          connection: connections[index % connections.length] ?? connection,
          imageFolder,
          release: from,
          ...settings,
        }),
      );
      return node;
    }),
  );
  const balancer = await planBalancer(options, nodes, ports[0] ?? 0, servers);
  const file = join(folder, "fleet.yaml");
  const config = join(folder, "manage.conf");
  let current = connection;
  const aim = async (target: ReleaseId, via = current) => {
    current = via;
    const manager = { name: "manage", address: "127.0.0.1:9292", folder };
    await writeFile(config, nodeConfig({ node: manager, connection: via, imageFolder, release: target, ...settings }));
    if (!balancer) return;
    const fleet = { folder, nodes, keys: hosts.keys, connection: via, balancer: balancer.file, target, strategy };
    await writeFile(file, fleetFile({ ...fleet, ...token, ...packages }));
  };
  await aim(to);
  const manage = (...args: string[]) => finish([...binary("glance-manage"), "--config-file", config, ...args]);
  progress(`creating the database at ${from}`);
  const created = await manage("db", "sync", "--to", from);
  if (created.code !== 0) throw new Error(`glance-manage db sync failed (${created.code}): ${created.stderr}`);

  progress(`starting ${nodes.length} nodes at ${from}, balancer: ${options.balancer}`);
  if (options.balancer === "builtin")
    startDetached([...binary("glance-rollout"), "balancer", "--fleet", file], {
      logFile: join(folder, "balancer.log"),
      cwd: folder,
    });
  const origin = balancer?.origin ?? `http://${nodes[0]?.address}`;
  await Promise.all(nodes.map(hosts.start));
  await eventually("every node is in rotation", () => allServe(origin, nodes.length), {
    msMax: 120_000,
    everyMs: 100,
  });
  return {
    folder,
    file,
    origin,
    get connection() {
      return current;
    },
    nodes,
    config,
    aim,
    manage,
    startNode: hosts.start,
    env: hosts.env,
    reloadBalancer: balancer?.reload ?? noReload,
    pidOf,
  };
}

async function noReload(): Promise<void> {
  throw new Error("the balancer of this fleet cannot be reloaded");
}

async function ownDatabase({ database, folder, progress }: FleetOptions, servers: StopStack): Promise<string> {
  const made = await makeDatabase(database, { folder, progress: progress ?? (() => undefined) });
  servers.defer(() => made.stop());
  return made.connection;
}

function describeNode(folder: string, name: string, address: string): FleetNode {
  const own = join(folder, name);
  return { name, address, folder: own, config: join(own, "glance-api.conf"), pidFile: join(own, "glance-api.pid") };
}

async function planBalancer(
  options: FleetOptions,
  nodes: readonly FleetNode[],
  port: number,
  servers: StopStack,
): Promise<{ origin: string; file: BalancerFile; reload?: () => Promise<void> } | undefined> {
  if (options.balancer === "none") return undefined;
  if (options.balancer === "builtin") {
    const listen = `127.0.0.1:${port}`;
    return {
      origin: `http://${listen}`,
      file: { driver: "builtin", listen, admin: join(options.folder, "balancer.sock") },
    };
  }
  const haproxy = await startHaproxy({ servers: nodes, master: options.reloads ?? false });
  servers.defer(() => haproxy.stop());
  return {
    origin: haproxy.url,
    file: { driver: "haproxy", socket: haproxy.socket, backend: haproxy.backend },
    async reload() {
      await writeFile(haproxy.stateFile, await haproxy.command("show servers state"));
      await haproxy.reload();
    },
  };
}

function pidOf(node: FleetNode): number | undefined {
  return existsSync(node.pidFile) ? Number(readFileSync(node.pidFile, "utf8")) || undefined : undefined;
}

/** Several answers in a row, one for each node and more: a balancer that still holds a node for down answers 503 or not at all. */
async function allServe(origin: string, nodes: number): Promise<boolean> {
  for (let turn = 0; turn < nodes * 2; turn++) if (!(await fetch(`${origin}/versions`)).ok) return false;
  return true;
}

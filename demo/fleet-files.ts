// The files of a fleet as an operator would write them: glance-api.conf for each node, and fleet.yaml.
import { join } from "node:path";
import { stringify } from "yaml";
import type { ReleaseId } from "../src/releases/catalogue.ts";
import type { Strategy } from "../src/rollout/decide.ts";

export type NodeFiles = { readonly name: string; readonly address: string; readonly folder: string };

/** Short times throughout: these fleets live for a minute, and their balancers look every fifth of a second. */
export function nodeConfig(options: {
  node: NodeFiles;
  connection: string;
  /** Where all nodes keep image data. */
  imageFolder: string;
  release: ReleaseId;
  /** Further lines, which go before those here where they say something else. */
  more?: string;
}): string {
  const { node, connection, imageFolder, release, more = "" } = options;
  const [host, port] = node.address.split(":");
  return `[DEFAULT]
bind_host = ${host}
bind_port = ${port}
workers = 1
log_file = ${join(node.folder, "glance-api.log")}

[database]
connection = ${connection}

[glance_store]
stores = file
default_store = file
filesystem_store_datadir = ${imageFolder}

[paste_deploy]
flavor = fakeauth

[healthcheck]
disable_by_file_path = ${join(node.folder, "disable")}

[perennial]
release = ${release}
node_name = ${node.name}
pid_file = ${join(node.folder, "glance-api.pid")}
heartbeat_seconds = 1
drain_settle_seconds = 1
upload_lease_seconds = 6
${more}`;
}

export type BalancerFile =
  | { readonly driver: "haproxy"; readonly socket: string; readonly backend: string }
  | { readonly driver: "builtin"; readonly listen: string; readonly admin: string };

export function fleetFile(options: {
  folder: string;
  nodes: readonly NodeFiles[];
  /** What a node says of where and how it runs. */
  keys: (node: NodeFiles) => object;
  connection: string;
  balancer: BalancerFile;
  target: ReleaseId;
  strategy: Strategy;
  /** Of the synthetic image's owner. */
  token?: string;
  /** Installed packages by release. */
  packages?: Readonly<Partial<Record<ReleaseId, string>>>;
}): string {
  const { folder, nodes, keys, connection, balancer, target, strategy, packages } = options;
  const { token = "probe:operations:admin" } = options;
  return stringify({
    name: "demo",
    target,
    journal: join(folder, "journal"),
    database: { connection },
    backup: { directory: join(folder, "backup") },
    nodes: nodes.map((node) => ({
      name: node.name,
      address: node.address,
      ...keys(node),
      ...(packages && { packages }),
    })),
    balancer,
    strategy,
    // Slow transfers are not cut: a drained node is waited for, and one that handed over leaves no more than the contract to be waited for.
    drain: strategy === "drain" ? { deadline_seconds: 120, policy: "wait" } : { deadline_seconds: 3, policy: "pause" },
    gates: { synthetic: true, token },
  });
}

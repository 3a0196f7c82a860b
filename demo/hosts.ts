// What a fleet's nodes run on: processes of this machine, or units of a real systemd that is reached by ssh, as in production.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../test/servers/eventually.ts";
import { nodeUnit, startSystemdHost } from "../test/servers/systemd-host.ts";
import type { NodeFiles } from "./fleet-files.ts";
import { binary, finish, startDetached } from "./processes.ts";

export const hostKinds = ["processes", "systemd"] as const;
export type HostKind = (typeof hostKinds)[number];

export type Hosts = {
  /** What a node of fleet.yaml says of where and how it runs. */
  keys(node: NodeFiles): object;
  /** Starts a node, and waits until it is healthy. */
  start(node: NodeFiles): Promise<void>;
  /** For who drives them. */
  readonly env: NodeJS.ProcessEnv;
  stop(): Promise<void>;
};

/** `program`: what nodes are started by at first; absent: this checkout. */
export async function startHosts(kind: HostKind, program?: readonly string[]): Promise<Hosts> {
  return kind === "processes" ? processes(program ?? binary("glance-api")) : systemdUnits();
}

function configOf(node: NodeFiles): string {
  return join(node.folder, "glance-api.conf");
}

function processes(program: readonly string[]): Hosts {
  return {
    keys: (node) => ({ driver: "local", directory: node.folder, config: configOf(node) }),
    async start(node) {
      const logFile = join(node.folder, "glance-api.out");
      const command = [...program, "--config-file", configOf(node)];
      const child = startDetached(command, { logFile, cwd: node.folder });
      if (!(await healthy(node, () => child.exitCode !== null)))
        throw new Error(`${node.name} ended (${child.exitCode}): ${readFileSync(logFile, "utf8")}`);
    },
    env: process.env,
    stop: async () => undefined,
  };
}

async function systemdUnits(): Promise<Hosts> {
  const host = await startSystemdHost();
  const { systemctl, journalctl } = host.systemd;
  const unitOf = (node: NodeFiles) => `perennial-${node.name}.service`;
  return {
    keys: (node) => ({ ...host.node, unit: unitOf(node), config: configOf(node) }),
    async start(node) {
      const unit = unitOf(node);
      await host.systemd.unit(unit, nodeUnit(configOf(node)));
      const started = await finish([...systemctl, "start", unit]);
      const said = await finish([...journalctl, `_SYSTEMD_UNIT=${unit}`, "--no-pager", "--output=cat"]);
      if (started.code !== 0) throw new Error(`${node.name} did not start: ${started.stderr}${said.stdout}`);
      await healthy(node);
    },
    env: host.env,
    stop: () => host.stop(),
  };
}

/** False where it ended before. */
function healthy(node: NodeFiles, ended: () => boolean = () => false): Promise<boolean> {
  return eventually(
    `node ${node.name} is healthy`,
    async () => {
      if (ended()) return { healthy: false };
      return (await fetch(`http://${node.address}/healthcheck`)).ok && { healthy: true };
    },
    // A busy machine takes its time: what matters is that it comes.
    { msMax: 90_000, everyMs: 50 },
  ).then((seen) => seen.healthy);
}

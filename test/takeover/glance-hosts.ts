// What the nodes of a running Glance are: processes that somebody started, or units of a real systemd on a host reached by ssh.
import assert from "node:assert/strict";
import { join } from "node:path";
import { finish } from "../../demo/processes.ts";
import type { StopStack } from "../../src/core/lifecycle.ts";
import { type GlanceSetup, glanceAnswers, glanceProgram, startGlance } from "../servers/glance.ts";
import { nodeUnit, startSystemdHost } from "../servers/systemd-host.ts";

/** What starts and stops a node, and how the rollout reaches it. */
export type GlanceHosts = "processes" | "units of systemd, by ssh";
/** Without the variables by which its calls on loopback would leave through a proxy. */
const glanceCommand = [
  "env",
  ...["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].flatMap((name) => ["-u", name]),
  glanceProgram,
  "--config-file",
];

type Placed = {
  /** Of fleet.yaml. */
  readonly nodes: readonly object[];
  readonly env: NodeJS.ProcessEnv;
  /** Units by what systemd says of them at boot; none where the nodes are processes. */
  unitsAtBoot(): Promise<Readonly<Record<string, string>>>;
};

/** Starts Glance on each node. */
export const placeNodes: Readonly<
  Record<GlanceHosts, (nodes: readonly GlanceSetup[], stack: StopStack) => Promise<Placed>>
> = {
  async processes(nodes) {
    await Promise.all(nodes.map((node) => startGlance(node)));
    return {
      env: process.env,
      unitsAtBoot: async () => ({}),
      nodes: nodes.map(({ name, port, config, logFile }) => ({
        name,
        driver: "local",
        address: `127.0.0.1:${port}`,
        directory: join(config, ".."),
        config,
        glance: { start: [...glanceCommand, "{config}"], log: logFile },
      })),
    };
  },

  async "units of systemd, by ssh"(nodes, stack) {
    const host = await startSystemdHost();
    stack.defer(() => host.stop());
    const { systemd, env } = host;
    const systemctl = (...args: readonly string[]) => finish([...systemd.systemctl, ...args]);
    const units = nodes.flatMap(({ name }) => [`glance-${name}.service`, `perennial-${name}.service`]);
    for (const { name, config } of nodes) {
      const command = [...glanceCommand, config].join(" ");
      const text = `[Service]\nExecStart=/usr/bin/${command}\n\n[Install]\nWantedBy=default.target\n`;
      await systemd.unit(`glance-${name}.service`, text);
      await systemd.unit(`perennial-${name}.service`, nodeUnit(config));
      const { code, stderr } = await systemctl("enable", "--now", `glance-${name}.service`);
      assert.equal(code, 0, stderr);
    }
    await Promise.all(nodes.map((node) => glanceAnswers(node)));
    return {
      env,
      nodes: nodes.map(({ name, port, config }) => ({
        name,
        ...host.node,
        address: `127.0.0.1:${port}`,
        config,
        unit: `perennial-${name}.service`,
        glance: { unit: `glance-${name}.service`, systemctl: systemd.systemctl },
      })),
      async unitsAtBoot() {
        const { stdout } = await systemctl("is-enabled", ...units);
        const states = stdout.trimEnd().split("\n");
        return Object.fromEntries(units.map((unit, index) => [unit, states[index] ?? ""]));
      },
    };
  },
};

// This machine as a host of the driver `ssh`: reached by the real sshd on loopback, its units those of a real systemd.
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { binary } from "../../demo/processes.ts";
import { startLocalSsh } from "./ssh-hosts.ts";
import { type Systemd, startSystemd } from "./systemd.ts";

export type SystemdHost = {
  readonly systemd: Systemd;
  /** What a node of fleet.yaml says of where it is. */
  readonly node: {
    readonly driver: "ssh";
    readonly host: string;
    readonly ssh_options: readonly string[];
    readonly systemctl: readonly string[];
    readonly journalctl: readonly string[];
  };
  /** What who reaches it by ssh has in its environment, so that no connection outlives the host. */
  readonly env: NodeJS.ProcessEnv;
  stop(): Promise<void>;
};

export async function startSystemdHost(): Promise<SystemdHost> {
  const ssh = await startLocalSsh();
  try {
    const systemd = await startSystemd();
    const { systemctl, journalctl } = systemd;
    const host = `${userInfo().username}@127.0.0.1`;
    return {
      systemd,
      node: { driver: "ssh", host, ssh_options: ssh.options, systemctl, journalctl },
      env: { ...process.env, XDG_RUNTIME_DIR: ssh.folder },
      async stop() {
        await systemd.stop();
        await ssh.stop();
      },
    };
  } catch (error) {
    await ssh.stop();
    throw error;
  }
}

const packaged = new URL("../../deploy/glance-api.service", import.meta.url);
/** What needs the package's user and folders, or a manager that is the machine's. */
const notHere =
  /^(User|Group|UMask|ReadWritePaths|RuntimeDirectory\w*|Capability\w*|Private\w+|Protect\w+|Restrict[A-Z]\w*|OOMPolicy)=.*\n/gm;

/** The package's unit, for a node of this checkout with this configuration. */
export function nodeUnit(config: string): string {
  const command = [...binary("glance-api"), "--config-file", config].join(" ");
  return readFileSync(packaged, "utf8")
    .replace(notHere, "")
    .replace(/^ExecStart=.*$/m, `ExecStart=${command}`)
    .replace("multi-user.target", "default.target");
}

// The real sshd: of this machine on loopback, or of hosts with addresses of their own on this one machine, each a network namespace, joined to
// ours by a pair of virtual interfaces. All see the same files. A namespace, its address and its interface go when its sshd and what that
// started have ended.
import { execFile, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { leash } from "./leash.ts";

const run = promisify(execFile);

/** `pid`: of its sshd, whose network is the host's. */
export type SshHost = { readonly address: string; readonly pid: number; stop(): Promise<void> };

export type SshHosts = {
  readonly hosts: readonly SshHost[];
  /** What `ssh` needs on its command line to get in, and to know the hosts. */
  readonly options: readonly string[];
  readonly folder: string;
  stop(): Promise<void>;
};

/** Why none can be made here; null where they can. */
export function whyNoSshHosts(): string | null {
  if (userInfo().uid !== 0) return "this machine lets only root make network namespaces";
  const probe = "ip link add pv-probe type veth peer name pv-probe2 netns $$";
  const tried = spawnSync("unshare", ["--net", "sh", "-c", probe]);
  return tried.status === 0 ? null : "this machine makes no network namespaces, or no virtual interfaces";
}

/** The same sshd for each; the caller may set XDG_RUNTIME_DIR to `folder`, to have the sockets of ssh in there. */
export function startSshHosts(count: number): Promise<SshHosts> {
  return startHosts(Array.from({ length: count }, (_, index) => (folder: string) => startHost(folder, index)));
}

/** This machine as the one host. */
export async function startLocalSsh(): Promise<SshHosts> {
  const port = await freePort();
  const { options, ...rest } = await startHosts([
    async (folder) => {
      const address = "127.0.0.1";
      const { pid, stop } = await startSshd(folder, { own: folder, address, port, within: [] });
      return { address, known: `[${address}]:${port}`, pid, stop };
    },
  ]);
  return { ...rest, options: [...options, "-p", String(port)] };
}

type Started = SshHost & { /** As known_hosts names it. */ readonly known: string };

async function startHosts(starters: readonly ((folder: string) => Promise<Started>)[]): Promise<SshHosts> {
  const folder = await mkdtemp(join(tmpdir(), "pssh-"));
  const started: Started[] = [];
  const stop = async () => {
    // Where the caller set XDG_RUNTIME_DIR: connections that are kept open, which would outlive their hosts.
    const sockets = join(folder, `glance-rollout-${userInfo().uid}`);
    for (const name of await readdir(sockets).catch(() => []))
      await run("ssh", ["-O", "exit", "-S", join(sockets, name), "x"]).catch(() => undefined);
    for (const host of started) await host.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const key of ["host", "client"])
      await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, key)]);
    // What sshd asks for before it serves anybody.
    mkdirSync("/run/sshd", { recursive: true });
    chmodSync("/run/sshd", 0o755);
    for (const start of starters) started.push(await start(folder));
    const key = (await readFile(join(folder, "host.pub"), "utf8")).trim();
    const known = join(folder, "known_hosts");
    await writeFile(known, started.map((host) => `${host.known} ${key}\n`).join(""));
    const options = ["-F", "none", "-i", join(folder, "client"), "-o", `UserKnownHostsFile=${known}`];
    return { hosts: started, options, folder, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startHost(folder: string, index: number): Promise<Started> {
  const own = join(folder, `h${index}`);
  mkdirSync(own);
  const { pid, stop } = await startSshd(folder, { own, address: "0.0.0.0", port: 22, within: ["unshare", "--net"] });
  try {
    const address = await joinNetwork(pid, index);
    await eventually("it listens", () => listens(address), { msMax: 60_000 });
    return { address, known: address, pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

type SshdAt = {
  readonly own: string;
  readonly address: string;
  readonly port: number;
  /** What it is started by. */
  readonly within: readonly string[];
};

/** Returns when it has noted its process id, which it does once it listens. */
async function startSshd(folder: string, { own, address, port, within }: SshdAt): Promise<Omit<SshHost, "address">> {
  const file = join(own, "sshd_config");
  await writeFile(file, `Port ${port}\nListenAddress ${address}\n${sshdConfig(folder, own)}`);
  const sshd = leash([...within, "/usr/sbin/sshd", "-D", "-e", "-f", file], { folder: "" });
  try {
    const pid = await eventually(
      "sshd is there",
      async () => {
        if (sshd.exitCode !== undefined) throw new Error(`sshd ended: ${sshd.output()}`);
        return Number(await readFile(join(own, "pid"), "utf8")) || false;
      },
      { msMax: 60_000 },
    );
    return { pid, stop: () => sshd.stop() };
  } catch (error) {
    await sshd.stop();
    throw error;
  }
}

function sshdConfig(folder: string, own: string): string {
  // sshd itself refuses an account whose password is locked, unless PAM decides.
  const locked = /^root:!/m.test(readFileSync("/etc/shadow", "utf8"));
  const lines = {
    HostKey: join(folder, "host"),
    PidFile: join(own, "pid"),
    AuthorizedKeysFile: join(folder, "client.pub"),
    StrictModes: "no",
    UsePAM: locked ? "yes" : "no",
    PasswordAuthentication: "no",
    KbdInteractiveAuthentication: "no",
    PermitRootLogin: "prohibit-password",
    MaxSessions: "100",
    LogLevel: "ERROR",
  };
  return Object.entries(lines)
    .map(([key, value]) => `${key} ${value}\n`)
    .join("");
}

/** Returns the namespace's address. Two addresses are a network; one that no interface of ours has yet is taken. */
async function joinNetwork(pid: number, index: number): Promise<string> {
  const name = `pv${process.pid.toString(36)}-${index}`;
  const inside = (...args: string[]) => run("nsenter", [`--net=/proc/${pid}/ns/net`, "ip", ...args]);
  await run("ip", ["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", String(pid)]);
  const taken = (await run("ip", ["-4", "addr", "show"])).stdout;
  let network: string;
  let first: number;
  do {
    network = `10.${randomInt(200, 250)}.${randomInt(256)}.`;
    first = 4 * randomInt(64);
  } while (taken.includes(`${network}${first + 1}/30`));
  const address = `${network}${first + 2}`;
  await run("ip", ["addr", "add", `${network}${first + 1}/30`, "dev", name]);
  await run("ip", ["link", "set", name, "up"]);
  await inside("addr", "add", `${address}/30`, "dev", "eth0");
  await inside("link", "set", "eth0", "up");
  await inside("link", "set", "lo", "up");
  return address;
}

function listens(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(22, address, () => {
      connection.destroy();
      resolve(true);
    });
    connection.setTimeout(2_000, () => connection.destroy(new Error("no answer")));
    connection.on("error", () => resolve(false));
  });
}

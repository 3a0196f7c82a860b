// A private Ceph: one monitor, and one OSD that keeps its objects in memory, on free ports with a folder of their own. It is real, but for
// what only a manager tells: the space that is left. Gone with the process that started it.
import { execFile, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { type Leashed, leash } from "./leash.ts";
import { startInOwnFolder } from "./own-folder.ts";

const run = promisify(execFile);

export type CephCluster = {
  readonly fsid: string;
  /** Its ceph.conf, which names the keyring. */
  readonly conf: string;
  /** Whom its pools may be used as; see `makePool`. */
  readonly user: string;
  readonly folder: string;
  /** A pool for RBD that `user` may use. */
  makePool(name: string): Promise<void>;
  /** Runs `rbd` as the user, and gives what it printed. */
  rbd(...args: readonly string[]): Promise<string>;
  /** Runs `ceph` as the cluster's admin, and gives what it printed. */
  ceph(...args: readonly string[]): Promise<string>;
  /** Its OSD answers nobody while `during` runs. */
  withoutAnswer<T>(during: () => Promise<T>): Promise<T>;
  stop(): Promise<void>;
};

const user = "glance";

/** Starts a cluster (about 5 s on an idle machine). Throws a line that says what to install where there is none. */
export async function startCeph(): Promise<CephCluster> {
  if (spawnSync("ceph-osd", ["--version"]).status !== 0)
    throw new Error("Ceph is needed here: install the Debian packages ceph-mon, ceph-osd and ceph-common");
  return await startInOwnFolder("ceph", start);
}

async function start(folder: string): Promise<CephCluster> {
  const fsid = randomUUID();
  const address = `v2:127.0.0.1:${await freePort()}`;
  const conf = join(folder, "ceph.conf");
  const keyring = join(folder, "keyring");
  const [monitorFolder, osdFolder, osdPid] = [join(folder, "monitor"), join(folder, "osd"), join(folder, "osd.pid")];
  await Promise.all([mkdir(monitorFolder), mkdir(osdFolder)]);
  await writeFile(
    conf,
    `[global]
fsid = ${fsid}
mon_initial_members = a
mon_host = [${address}]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
keyring = ${keyring}
run_dir = ${folder}
admin_socket =
log_file =
log_to_stderr = true
err_to_stderr = true
mon_data = ${monitorFolder}
osd_data = ${osdFolder}
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_pool_default_size = 1
osd_pool_default_min_size = 1
mon_allow_pool_size_one = true
osd_crush_chooseleaf_type = 0
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
[osd]
pid_file = ${osdPid}
`,
  );
  const servers: Leashed[] = [];
  const stop = async () => {
    // The monitor last: its leash takes the folder away.
    for (const server of servers.toReversed()) await server.stop();
  };
  const call = async (program: string, ...args: readonly string[]) =>
    (await run(program, ["-c", conf, ...args], { timeout: 120_000 })).stdout.trim();
  const ceph = (...args: readonly string[]) => call("ceph", "--connect-timeout", "60", ...args);
  const addKey = async (...args: readonly string[]) =>
    await appendFile(keyring, `${await ceph("auth", "get-or-create", ...args)}\n`);
  const everything = ["--cap", "mon", "allow *", "--cap", "osd", "allow *"];
  try {
    await run("ceph-authtool", ["--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"]);
    await run("ceph-authtool", [keyring, "--gen-key", "-n", "client.admin", ...everything]);
    const map = join(folder, "monmap");
    await run("monmaptool", ["--create", "--fsid", fsid, "--addv", "a", `[${address}]`, map]);
    await call("ceph-mon", "--mkfs", "-i", "a", "--monmap", map, "--keyring", keyring);
    const monitor = leash(["ceph-mon", "-f", "-i", "a", "-c", conf], { folder });
    servers.push(monitor);
    const osdId = randomUUID();
    await eventually("Ceph's monitor answers", async () => {
      if (monitor.exitCode !== undefined) throw new Error(`Ceph's monitor did not start:\n${monitor.output()}`);
      await ceph("osd", "new", osdId);
      return true;
    });
    await addKey("osd.0", "mon", "allow profile osd", "osd", "allow *");
    await call("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osdId);
    const osd = leash(["ceph-osd", "-f", "-i", "0", "-c", conf], { folder: "" });
    servers.push(osd);
    await eventually("Ceph's OSD is up", async () => {
      if (osd.exitCode !== undefined) throw new Error(`Ceph's OSD did not start:\n${osd.output()}`);
      return JSON.parse(await ceph("osd", "stat", "-f", "json")).num_up_osds === 1;
    });
    await addKey(`client.${user}`, "mon", "profile rbd", "osd", "profile rbd");
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    fsid,
    conf,
    user,
    folder,
    async makePool(name) {
      await ceph("osd", "pool", "create", name, "4");
      await ceph("osd", "pool", "application", "enable", name, "rbd");
    },
    rbd: (...args) => call("rbd", "-n", `client.${user}`, ...args),
    ceph,
    async withoutAnswer(during) {
      // Not by its flag for a pause: what is asked before the flag has come to all is still answered.
      const pid = Number(await readFile(osdPid, "utf8"));
      process.kill(pid, "SIGSTOP");
      try {
        return await during();
      } finally {
        process.kill(pid, "SIGCONT");
      }
    },
    stop,
  };
}

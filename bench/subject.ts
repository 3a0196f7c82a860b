// What is measured: this package's own commands on a private MariaDB, with one worker, as an operator would start them.

import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeConfig } from "../demo/fleet-files.ts";
import { binary, type Finished, finish, guardFolder, startDetached } from "../demo/processes.ts";
import { StopStack } from "../src/core/lifecycle.ts";
import { eventually } from "../test/servers/eventually.ts";
import { freePort } from "../test/servers/free-port.ts";
import { startMariadb } from "../test/servers/mariadb.ts";

export type Subject = {
  readonly folder: string;
  /** A new database, created at `release` by glance-manage. */
  createDatabase(release: "newton" | "ocata"): Promise<SubjectDatabase>;
  stop(): Promise<void>;
};

export type SubjectDatabase = {
  readonly connection: string;
  manage(...args: string[]): Promise<Finished>;
  /** Starts a node on it; returns where it listens, and its worker's process id. */
  startNode(): Promise<{ origin: string; workerPid: number }>;
};

/**
 * For tables of millions of rows, as a server that holds them is set: pages are written out at the pace of an SSD, where MariaDB's defaults
 * are those of a disk, and the redo log holds minutes of writes instead of seconds. With the 256 MB of our tests a migration of ten million
 * rows, and the reference's UPDATE likewise, would be a measurement of how fast the disk takes checkpoints.
 */
export const solidStateArgs: readonly string[] = [
  "--innodb-io-capacity=4000",
  "--innodb-io-capacity-max=8000",
  "--innodb-log-file-size=2G",
];

export async function startSubject(options: { readonly serverArgs?: readonly string[] } = {}): Promise<Subject> {
  const stops = new StopStack();
  const folder = await mkdtemp(join(tmpdir(), "perennial-bench-"));
  const mariadb = await startMariadb({ shared: false, bufferPoolMb: 2_048, args: options.serverArgs ?? [] });
  stops.defer(() => mariadb.stop());
  const guard = guardFolder(folder, { keep: false });
  stops.defer(() => guard.stop());
  let databases = 0;
  return {
    folder,
    async createDatabase(release) {
      const own = join(folder, `node-${++databases}`);
      mkdirSync(own);
      const connection = await mariadb.createDatabase();
      const config = join(own, "glance-api.conf");
      const port = await freePort();
      const node = { name: `n${databases}`, address: `127.0.0.1:${port}`, folder: own };
      await writeFile(config, nodeConfig({ node, connection, imageFolder: join(folder, "images"), release }));
      const newest = join(own, "manage.conf");
      await writeFile(newest, nodeConfig({ node, connection, imageFolder: join(folder, "images"), release: "ocata" }));
      const run = (file: string, ...args: string[]) =>
        finish([...binary("glance-manage"), "--config-file", file, ...args], { msMax: 7_200_000 });
      const manage = (...args: string[]) => run(newest, ...args);
      const synced = await run(config, "db", "sync");
      if (synced.code !== 0) throw new Error(`db sync failed: ${synced.stderr}`);
      return { connection, manage, startNode: () => startNode(config, node) };
    },
    stop: () => stops.stop(),
  };
}

/** Of a configuration that says where it listens. Returns when it is healthy. */
export async function startNode(config: string, node: { address: string; folder: string }) {
  const origin = `http://${node.address}`;
  const child = startDetached([...binary("glance-api"), "--config-file", config], {
    logFile: join(node.folder, "out"),
    cwd: node.folder,
  });
  await eventually("the node is healthy", async () => (await fetch(`${origin}/healthcheck`)).ok, { msMax: 30_000 });
  const workerPid = childOf(child.pid ?? 0);
  if (workerPid === undefined) throw new Error("the supervisor has no worker");
  return { origin, workerPid };
}

/** The first process whose parent is `pid`. */
export function childOf(pid: number): number | undefined {
  const isChild = (entry: string) => {
    try {
      return new RegExp(`^PPid:\\s+${pid}$`, "m").test(readFileSync(`/proc/${entry}/status`, "utf8"));
    } catch {
      // It ended between listing and looking.
      return false;
    }
  };
  const found = readdirSync("/proc").find((entry) => /^\d+$/.test(entry) && isChild(entry));
  return found === undefined ? undefined : Number(found);
}

/** The most memory a process ever had resident, in MB. */
export function peakMemoryMb(pid: number): number {
  const kilobytes = readFileSync(`/proc/${pid}/status`, "utf8").match(/^VmHWM:\s+(\d+) kB$/m)?.[1];
  return Number(kilobytes ?? Number.NaN) / 1_024;
}

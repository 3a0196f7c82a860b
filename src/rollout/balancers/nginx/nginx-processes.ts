// What can be seen of a running nginx on this machine: its workers, which of them are on their way out after a reload, and their connections
// to the nodes. nginx itself tells none of this.
import { lookup } from "node:dns/promises";
import { readdir, readFile, readlink } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { errorText, ServiceError } from "../../../core/errors.ts";
import { findProcess } from "../../../core/process-table.ts";
import { splitAddress } from "../builtin/balancer-settings.ts";

export type NginxWorker = {
  readonly pid: number;
  /** Tells it from any other process that had or will have this id. */
  readonly id: string;
  /** It takes nothing new, and finishes what it has. */
  readonly leaving: boolean;
};

/** Throws rollout.driver_failed where no nginx runs that `pidFile` names. */
export async function nginxWorkers(pidFile: string): Promise<readonly NginxWorker[]> {
  const master = await masterOf(pidFile);
  const workers = await Promise.all(
    (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map((name) => workerOf(master, Number(name))),
  );
  return workers.flatMap((worker) => worker ?? []);
}

async function masterOf(pidFile: string): Promise<number> {
  const absent = (why: string, cause?: unknown) => {
    const message = `nginx cannot be asked (${why}); see that it runs, and that balancer.pid_file names its pid file`;
    return new ServiceError("rollout.driver_failed", message, {
      facts: { file: pidFile },
      ...(cause !== undefined && { cause }),
    });
  };
  let text: string;
  try {
    text = (await readFile(pidFile, "utf8")).trim();
  } catch (error) {
    throw absent(errorText(error), error);
  }
  const pid = Number(text);
  const title = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  if (!title.startsWith("nginx: master")) throw absent(`${pidFile} names process ${text || "none"}, which is no nginx`);
  return pid;
}

async function workerOf(master: number, pid: number): Promise<NginxWorker | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    if (parent !== master) return undefined;
    const title = await readFile(`/proc/${pid}/cmdline`, "utf8");
    const found = findProcess(pid);
    if (!found || !title.startsWith("nginx: worker process")) return undefined;
    return { pid, id: found.id, leaving: title.includes("is shutting down") };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/**
 * Connections of these workers to each address (host:port), by name. To a server in rotation idle ones may be among them; workers that are
 * leaving have none. Throws rollout.driver_failed where nginx's processes may not be looked into.
 */
export async function connectionsTo(
  workers: readonly NginxWorker[],
  addresses: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, number>> {
  const [first] = workers;
  const counts = new Map([...addresses.keys()].map((name) => [name, 0]));
  if (!first) return counts;
  const names = new Map<string, string>();
  for (const [name, address] of addresses) for (const key of await keysOf(address)) names.set(key, name);
  const sockets = new Set((await Promise.all(workers.map((worker) => socketsOf(worker.pid)))).flat());
  // Workers share one network namespace, and each sees all of its connections.
  const tables = await Promise.all(["tcp", "tcp6"].map((table) => readTable(`/proc/${first.pid}/net/${table}`)));
  for (const row of tables.flat()) {
    const [, , remote = "", state, , , , , , inode = ""] = row.trim().split(/\s+/);
    const name = names.get(remote);
    if (name !== undefined && state === established && sockets.has(inode))
      counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

const established = "01";

async function readTable(path: string): Promise<readonly string[]> {
  try {
    return (await readFile(path, "utf8")).split("\n").slice(1);
  } catch (error) {
    // The worker has ended, or this kernel has no IPv6.
    if (isGone(error)) return [];
    throw error;
  }
}

async function socketsOf(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  try {
    const links = await Promise.all(
      (await readdir(folder)).map((name) =>
        readlink(`${folder}/${name}`).catch((error) => (isGone(error) ? "" : Promise.reject(error))),
      ),
    );
    return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
  } catch (error) {
    if (isGone(error)) return [];
    const message = `nginx's processes cannot be looked into (${errorText(error)}); run glance-rollout as root, or as nginx's user`;
    throw new ServiceError("rollout.driver_failed", message, { facts: { pid }, cause: error });
  }
}

/** The address as /proc/net/tcp writes it: each 32 bits in the machine's own order, little-endian wherever Node runs. */
async function keysOf(address: string): Promise<readonly string[]> {
  const { host, port } = splitAddress(address);
  const found = await lookup(host, { all: true }).catch((error: unknown) => {
    const message = `${address}, a server of nginx, has no address (${errorText(error)})`;
    throw new ServiceError("rollout.driver_failed", message, { facts: { address }, cause: error });
  });
  return found.map((one) => {
    const bytes = isIPv6(one.address) ? bytesOfIPv6(one.address) : one.address.split(".").map(Number);
    const words = Array.from({ length: bytes.length / 4 }, (_, index) =>
      bytes.slice(4 * index, 4 * index + 4).reverse(),
    );
    const hex = (value: number, digits: number) => value.toString(16).toUpperCase().padStart(digits, "0");
    return `${words
      .flat()
      .map((byte) => hex(byte, 2))
      .join("")}:${hex(port, 4)}`;
  });
}

function bytesOfIPv6(address: string): number[] {
  const [head = "", tail] = address.replace(/%.*/, "").split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => 0);
  return [...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]);
}

function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH");
}

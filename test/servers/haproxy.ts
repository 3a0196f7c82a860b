// A private HAProxy on free ports: one frontend, the given backend servers with health checks, and a Runtime API socket.
// Gone with the process that started it. demo/ and the whole-process tests use the configuration builder too.
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { leash } from "./leash.ts";

export type HaproxyBackendServer = { name: string; address: string /* host:port */ };

export type HaproxyServer = {
  /** `http://127.0.0.1:PORT`, where clients go. */
  readonly url: string;
  readonly port: number;
  /** The Runtime API's UNIX socket, admin level. */
  readonly socket: string;
  /** The backend's name in the Runtime API: `glance`. */
  readonly backend: string;
  /** The same over TCP, host:port; empty unless it was asked for. */
  readonly adminAddress: string;
  /** Where a reload finds the states of servers. */
  readonly stateFile: string;
  /** One command of the Runtime API, and its answer. */
  command(line: string): Promise<string>;
  /** As the operator's `systemctl reload haproxy`: returns when the new process answers. Only where it was started with `master`. */
  reload(): Promise<void>;
  stop(): Promise<void>;
};

/** The sample that operators start from, deploy/haproxy.cfg, moved to private addresses: so the sample itself is what is tested. */
export function haproxyConfig(options: {
  port: number;
  socket: string;
  stateFile: string;
  servers: readonly HaproxyBackendServer[];
  /** Interval of health checks. Default 200. */
  checkMs?: number;
}): string {
  const sample = readFileSync(new URL("../../deploy/haproxy.cfg", import.meta.url), "utf8");
  const servers = options.servers.map((server) => `    server ${server.name} ${server.address}`).join("\n");
  const changes: readonly [RegExp, string][] = [
    [/bind :9292/, `bind 127.0.0.1:${options.port}`],
    [/(stats socket) \S+ mode 660/, `$1 ${options.socket} mode 600`],
    [/(server-state-file) \S+/, `$1 ${options.stateFile}`],
    [/check inter 1s/, `check inter ${options.checkMs ?? 200}ms`],
    [/( {4}server n\d+ \S+\n)+/, `${servers}\n`],
  ];
  return changes.reduce((text, [sought, put]) => {
    if (!sought.test(text)) throw new Error(`deploy/haproxy.cfg has no ${sought} any more`);
    return text.replace(sought, put);
  }, sample);
}

/** Starts HAProxy before or after the servers behind it. Throws a line that says what to install where there is none. */
export async function startHaproxy(options: {
  servers: readonly HaproxyBackendServer[];
  checkMs?: number;
  /** Has a master process, which can reload it. */
  master?: boolean;
  /** Has its Runtime API on a TCP port too. */
  adminTcp?: boolean;
  /** Sends a line for each request to this UDP address, host:port. */
  log?: { readonly address: string; readonly format: string };
}): Promise<HaproxyServer> {
  const command = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/bin/haproxy"].find(existsSync);
  if (!command) throw new Error("HAProxy is needed here: install the Debian package haproxy");
  const folder = await mkdtemp(join(tmpdir(), "perennial-haproxy-"));
  const socket = join(folder, "admin");
  const port = await freePort();
  const file = join(folder, "haproxy.cfg");
  const stateFile = join(folder, "state");
  const adminAddress = options.adminTcp ? `127.0.0.1:${await freePort()}` : "";
  const config = haproxyConfig({ ...options, port, socket, stateFile });
  const tcp = options.adminTcp ? `\n    stats socket ipv4@${adminAddress} level admin` : "";
  const { log } = options;
  const target = log ? `\n    log ${log.address} format raw local0` : "";
  const lines = log ? `\n    log global\n    log-format "${log.format}"` : "";
  await writeFile(
    file,
    config
      .replace(/^ +stats socket .*/m, (line) => line + tcp + target)
      .replace(/^ +option dontlognull$/m, (line) => line + lines),
  );
  await writeFile(stateFile, "");
  try {
    await promisify(execFile)(command, ["-c", "-q", "-f", file]);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const server = leash([command, ...(options.master ? ["-W", "-S", join(folder, "master")] : []), "-db", "-f", file], {
    folder,
  });
  try {
    await eventually("HAProxy answers", async () => server.exitCode !== undefined || runtimeApi(socket, "show info"));
    if (server.exitCode !== undefined) throw new Error(`HAProxy did not start:\n${server.output()}`);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    socket,
    backend: "glance",
    adminAddress,
    stateFile,
    command: (line) => runtimeApi(socket, line),
    async reload() {
      const process = async () => /^Pid: (\d+)$/m.exec(await runtimeApi(socket, "show info"))?.[1];
      const before = await process();
      const master = join(folder, "master");
      // The master may listen later than its worker.
      await eventually("the master answers", () => listens(master), { msMax: 60_000 });
      await runtimeApi(master, "reload");
      await eventually(
        "the new process answers",
        async () => {
          const now = await process();
          return now !== undefined && now !== before;
        },
        { msMax: 60_000 },
      );
    },
    stop: () => server.stop(),
  };
}

function listens(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket, () => {
      connection.destroy();
      resolve(true);
    });
    connection.on("error", () => resolve(false));
  });
}

function runtimeApi(socket: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const connection = connect(socket, () => connection.write(`${line}\n`));
    connection.setEncoding("utf8");
    connection.setTimeout(5_000, () => connection.destroy(new Error(`HAProxy did not answer '${line}'`)));
    connection.on("data", (text) => {
      answer += text;
    });
    connection.on("error", reject);
    connection.on("end", () => resolve(answer));
  });
}

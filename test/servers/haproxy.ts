// A private HAProxy on free ports: one frontend, the given backend servers with health checks, and a Runtime API socket.
// Gone with the process that started it. demo/ and the whole-process tests use the configuration builder too.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
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
  /** One command of the Runtime API, and its answer. */
  command(line: string): Promise<string>;
  stop(): Promise<void>;
};

/** What an operator would write for these servers; deploy/haproxy.cfg is the commented one for real hosts. */
export function haproxyConfig(options: {
  port: number;
  socket: string;
  servers: readonly HaproxyBackendServer[];
  /** Interval of health checks. Default 200. */
  checkMs?: number;
}): string {
  const checkMs = options.checkMs ?? 200;
  const lines = options.servers.map((server) => `  server ${server.name} ${server.address} check`);
  return `global
  stats socket ${options.socket} mode 600 level admin
  maxconn 2000
defaults
  mode http
  timeout connect 2s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
frontend images
  bind 127.0.0.1:${options.port}
  default_backend glance
backend glance
  balance roundrobin
  option httpchk GET /healthcheck
  http-check expect status 200
  http-reuse safe
  default-server inter ${checkMs}ms fall 2 rise 1
${lines.join("\n")}
`;
}

/** Starts HAProxy before or after the servers behind it. Throws a line that says what to install where there is none. */
export async function startHaproxy(options: {
  servers: readonly HaproxyBackendServer[];
  checkMs?: number;
}): Promise<HaproxyServer> {
  const command = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/bin/haproxy"].find(existsSync);
  if (!command) throw new Error("HAProxy is needed here: install the Debian package haproxy");
  const folder = await mkdtemp(join(tmpdir(), "perennial-haproxy-"));
  const socket = join(folder, "admin");
  const port = await freePort();
  const file = join(folder, "haproxy.cfg");
  await writeFile(file, haproxyConfig({ ...options, port, socket }));
  try {
    await promisify(execFile)(command, ["-c", "-q", "-f", file]);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const server = leash([command, "-db", "-f", file], { folder });
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
    command: (line) => runtimeApi(socket, line),
    stop: () => server.stop(),
  };
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

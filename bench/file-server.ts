// nginx as it serves files by itself: what a download can be held against. Installed for benchmarks only.
import { existsSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../test/servers/eventually.ts";
import { freePort } from "../test/servers/free-port.ts";
import { leash } from "../test/servers/leash.ts";

const program = "/usr/sbin/nginx";

/** Throws a line that says what to install where there is none. */
export function requireFileServer(): void {
  if (!existsSync(program)) throw new Error("nginx is needed here: install the Debian package nginx");
}

/** Serves the files of `root` from one worker. */
export async function startFileServer(root: string): Promise<{ origin: string; stop(): Promise<void> }> {
  requireFileServer();
  const folder = await mkdtemp(join(tmpdir(), "perennial-nginx-"));
  const port = await freePort();
  const config = join(folder, "nginx.conf");
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const temporary = paths.map((name) => `${name}_temp_path ${folder}/${name};`).join(" ");
  writeFileSync(
    config,
    `daemon off;
user root;
worker_processes 1;
pid ${folder}/pid;
error_log ${folder}/error.log;
events {}
http { access_log off; sendfile on; ${temporary} server { listen 127.0.0.1:${port}; root ${root}; } }
`,
  );
  // Killed, it would leave its worker behind.
  const server = leash([program, "-p", folder, "-c", config], { folder, signal: "TERM" });
  const origin = `http://127.0.0.1:${port}`;
  await eventually("nginx answers", async () => {
    if (server.exitCode !== undefined) throw new Error(`nginx did not start: ${server.output()}`);
    return (await fetch(origin)).status > 0;
  });
  return { origin, stop: () => server.stop() };
}

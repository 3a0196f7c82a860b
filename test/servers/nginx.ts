// A private nginx on a free port, with the sample configuration that operators start from. Gone with the process that started it.
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { leash } from "./leash.ts";

export type NginxServer = {
  /** `http://127.0.0.1:PORT`, where clients go. */
  readonly url: string;
  readonly serversFile: string;
  readonly pidFile: string;
  /** What tests the configuration, and what reloads it. */
  readonly test: readonly string[];
  readonly reload: readonly string[];
  stop(): Promise<void>;
};

/** deploy/nginx.conf, moved to private places: so the sample itself is what is tested. */
function nginxConfig(folder: string, port: number): string {
  const sample = readFileSync(new URL("../../deploy/nginx.conf", import.meta.url), "utf8");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `    ${name}_temp_path ${folder}/${name};\n`)
    .join("");
  const changes: readonly [RegExp, string][] = [
    [/^worker_processes auto;/m, "daemon off;\nuser root;\nworker_processes 2;"],
    [/^pid \S+;/m, `pid ${folder}/nginx.pid;`],
    [/listen 9292;/, `listen 127.0.0.1:${port};`],
    [/include \S+;/, `include ${folder}/servers.conf;`],
    [/^http \{\n/m, `http {\n${temporary}`],
  ];
  return changes.reduce((text, [sought, put]) => {
    if (!sought.test(text)) throw new Error(`deploy/nginx.conf has no ${sought} any more`);
    return text.replace(sought, put);
  }, sample);
}

/** Starts nginx before or after the servers behind it. Throws a line that says what to install where there is none. */
export async function startNginx(servers: readonly { name: string; address: string }[]): Promise<NginxServer> {
  const command = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].find(existsSync);
  if (!command) throw new Error("nginx is needed here: install the Debian package nginx");
  const folder = await mkdtemp(join(tmpdir(), "perennial-nginx-"));
  const port = await freePort();
  const serversFile = join(folder, "servers.conf");
  const pidFile = join(folder, "nginx.pid");
  await writeFile(join(folder, "nginx.conf"), nginxConfig(folder, port));
  await writeFile(serversFile, servers.map(({ name, address }) => `server ${address}; # ${name}\n`).join(""));
  const words = [command, "-p", folder, "-e", join(folder, "error.log"), "-c", join(folder, "nginx.conf")];
  // Killed, it would leave its workers behind.
  const server = leash(words, { folder, signal: "TERM" });
  const url = `http://127.0.0.1:${port}`;
  try {
    await eventually(
      "nginx answers",
      async () => {
        if (server.exitCode !== undefined) throw new Error(`nginx did not start:\n${server.output()}`);
        await fetch(url);
        return existsSync(pidFile);
      },
      { msMax: 60_000 },
    );
  } catch (error) {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    url,
    serversFile,
    pidFile,
    test: [...words, "-t", "-q"],
    reload: [...words, "-s", "reload"],
    stop: () => server.stop(),
  };
}

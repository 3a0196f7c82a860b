// A private MariaDB on a free port with a folder of its own, for tests, demo and benchmarks; gone with the process that started it.
// With PERENNIAL_TEST_MARIADB (root's URL of a running server, without a database) tests share that one and only make databases on it.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createConnection } from "mysql2/promise";
import { type Crashable, startCrashable } from "./crashable.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { leash } from "./leash.ts";
import { startInOwnFolder } from "./own-folder.ts";

export type MariadbServer = {
  /** `mysql://root@127.0.0.1:PORT/DATABASE`. */
  url(database: string): string;
  readonly socket: string;
  readonly port: number;
  /** An empty utf8 database, as Glance's are; returns its URL. A name is made up when none is given. */
  createDatabase(name?: string): Promise<string>;
  /** Ends the private server, or drops the databases made on a shared one. Safe to call twice. */
  stop(): Promise<void>;
};

export type MariadbOptions = {
  /** InnoDB's buffer pool. Default 128. */
  bufferPoolMb?: number;
  /** Further server options, e.g. `--log-bin`. They make the server a private one, as `shared: false` does. */
  args?: readonly string[];
  /** false: never the server of PERENNIAL_TEST_MARIADB. */
  shared?: boolean;
};

const run = promisify(execFile);

/** Starts a server (about 3 s), or joins the shared one. Throws a line that says what to install where there is no MariaDB. */
export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  const sharedUrl = process.env.PERENNIAL_TEST_MARIADB;
  if (sharedUrl && options.shared !== false && !options.args) return joinShared(new URL(sharedUrl));
  return startInOwnFolder("mariadb", (folder) => startPrivate(folder, options));
}

/** A private server that survives kill -9; its log is small, so that it is quick to come back. */
export async function startCrashableMariadb(): Promise<Crashable & Pick<MariadbServer, "createDatabase">> {
  const folder = await mkdtemp(join(tmpdir(), "perennial-mariadb-"));
  const { command, port } = await prepare(folder, { bufferPoolMb: 32, args: ["--innodb-log-file-size=16M"] });
  const pidOf = () => Number(readFileSync(join(folder, "pid"), "utf8"));
  const server = await startCrashable({ name: "MariaDB", folder, command, pidOf, answers: () => ping(port) });
  return { ...access(port, []), ...server };
}

/** Makes the files of a new server in `folder`; returns how it is run. */
async function prepare(folder: string, options: MariadbOptions): Promise<Launch> {
  const program = findServer();
  const data = join(folder, "data");
  const socket = join(folder, "s");
  const user = `--user=${userInfo().username}`;
  const accounts = "--auth-root-authentication-method=normal";
  // A starting server removes the temporary tables it finds here, those of a running neighbour too (seen: it crashes).
  const temporary = `--tmpdir=${folder}`;
  await run("mariadb-install-db", ["--no-defaults", user, accounts, "--skip-test-db", `--datadir=${data}`, temporary]);
  const port = await freePort();
  const command = [
    program,
    "--no-defaults",
    user,
    `--datadir=${data}`,
    `--socket=${socket}`,
    temporary,
    "--bind-address=127.0.0.1",
    `--port=${port}`,
    `--pid-file=${join(folder, "pid")}`,
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",
    `--innodb-buffer-pool-size=${options.bufferPoolMb ?? 128}M`,
    "--innodb-log-file-size=256M",
    // Tests survive kills of our processes, not of the machine.
    "--innodb-flush-log-at-trx-commit=2",
    "--max-connections=500",
    ...(options.args ?? []),
  ];
  return { command, socket, port };
}

type Launch = { readonly command: readonly string[]; readonly socket: string; readonly port: number };

async function startPrivate(folder: string, options: MariadbOptions): Promise<MariadbServer> {
  const { command, socket, port } = await prepare(folder, options);
  const server = leash(command, { folder });
  try {
    await eventually("MariaDB answers", () => server.exitCode !== undefined || ping(port), { msMax: 60_000 });
    if (server.exitCode !== undefined) throw new Error(`MariaDB did not start:\n${server.output()}`);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { ...access(port, []), socket, port, stop: () => server.stop() };
}

function findServer(): string {
  const found = ["/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd", "/usr/bin/mariadbd"].find(existsSync);
  if (!found) throw new Error("MariaDB is needed here: install the Debian packages mariadb-server and mariadb-client");
  return found;
}

async function ping(port: number): Promise<boolean> {
  const connection = await createConnection({ host: "127.0.0.1", port, user: "root" });
  await connection.end();
  return true;
}

async function joinShared(url: URL): Promise<MariadbServer> {
  const port = Number(url.port);
  const [[row]] = (await administer(port, "select @@socket as socket")) as unknown as [[{ socket: string }]];
  const made: string[] = [];
  return {
    ...access(port, made),
    socket: row.socket,
    port,
    async stop() {
      for (const name of made.splice(0)) await administer(port, `drop database if exists \`${name}\``);
    },
  };
}

function access(port: number, made: string[]): Pick<MariadbServer, "url" | "createDatabase"> {
  const url = (database: string) => `mysql://root@127.0.0.1:${port}/${database}`;
  return {
    url,
    async createDatabase(name = `glance_${randomBytes(5).toString("hex")}`) {
      await administer(port, `create database \`${name}\` character set utf8`);
      made.push(name);
      return url(name);
    },
  };
}

async function administer(port: number, sql: string): Promise<unknown> {
  const connection = await createConnection({ host: "127.0.0.1", port, user: "root" });
  try {
    return await connection.query(sql);
  } finally {
    await connection.end();
  }
}

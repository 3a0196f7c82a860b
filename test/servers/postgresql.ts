// A private PostgreSQL on a free port with a folder of its own, for tests, demo and benchmarks; gone with the process that started it.
// With PERENNIAL_TEST_POSTGRESQL (URL of a running server, without a database) tests share that one and only make databases on it.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chown, mkdtemp } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { type Crashable, startCrashable } from "./crashable.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { leash } from "./leash.ts";
import { startInOwnFolder } from "./own-folder.ts";

export type PostgresqlServer = {
  /** `postgresql://postgres@127.0.0.1:PORT/DATABASE`. */
  url(database: string): string;
  /** The folder of its Unix socket. */
  readonly socketFolder: string;
  readonly port: number;
  /** An empty database, or a copy of `template` (nobody may be connected to that one); returns its URL. A name is made up when none is given. */
  createDatabase(options?: { name?: string; template?: string }): Promise<string>;
  dropDatabase(name: string): Promise<void>;
  /** Ends the private server, or drops the databases made on a shared one. Safe to call twice. */
  stop(): Promise<void>;
};

export type PostgresqlOptions = {
  /** Default 64. */
  sharedBuffersMb?: number;
  /** Further settings, e.g. `max_connections=5`. They make the server a private one, as `shared: false` does. */
  settings?: readonly string[];
  /** Further arguments of initdb, for a private server: its locale, its authentication. */
  initdb?: readonly string[];
  /** false: never the server of PERENNIAL_TEST_POSTGRESQL. */
  shared?: boolean;
};

const run = promisify(execFile);

/** Starts a server (about 2 s), or joins the shared one. Throws a line that says what to install where there is no PostgreSQL. */
export async function startPostgresql(options: PostgresqlOptions = {}): Promise<PostgresqlServer> {
  const sharedUrl = process.env.PERENNIAL_TEST_POSTGRESQL;
  if (sharedUrl && options.shared !== false && !options.settings && !options.initdb)
    return joinShared(new URL(sharedUrl));
  return startInOwnFolder("postgresql", (folder) => startPrivate(folder, options));
}

/** A private server that survives kill -9. */
export async function startCrashablePostgresql(): Promise<Crashable & Pick<PostgresqlServer, "createDatabase">> {
  const folder = await mkdtemp(join(tmpdir(), "perennial-postgresql-"));
  // What is synchronous only waits for the operating system here, which no kill takes along.
  const { command, port } = await prepare(folder, { settings: ["full_page_writes=on", "synchronous_commit=on"] });
  const pidOf = () => Number.parseInt(readFileSync(join(folder, "data", "postmaster.pid"), "utf8"), 10);
  const answers = () => ping(port);
  const server = await startCrashable({
    name: "PostgreSQL",
    folder,
    command,
    cwd: folder,
    signal: "QUIT",
    pidOf,
    answers,
  });
  return { ...access(port, []), ...server };
}

/** Makes the files of a new server in `folder`; returns how it is run. */
async function prepare(
  folder: string,
  options: PostgresqlOptions,
): Promise<{ readonly command: readonly string[]; readonly port: number }> {
  const programs = findPrograms();
  const as = await serverUser(folder);
  const data = join(folder, "data");
  const [initdb = "", ...initdbArgs] = [
    ...as,
    join(programs, "initdb"),
    `--pgdata=${data}`,
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--no-sync",
    "--no-instructions",
    ...(options.initdb ?? []),
  ];
  await run(initdb, initdbArgs, { cwd: folder });
  const port = await freePort();
  const settings = [
    `port=${port}`,
    "listen_addresses=127.0.0.1",
    `unix_socket_directories=${folder}`,
    `shared_buffers=${options.sharedBuffersMb ?? 64}MB`,
    "max_connections=300",
    // Tests survive kills of our processes, not of the machine.
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_wal_size=1GB",
    // Tests provoke errors by the thousand; a log that nobody reads while its reader is busy would stop the server.
    "log_min_messages=fatal",
    "log_min_error_statement=panic",
    ...(options.settings ?? []),
  ];
  const command = [...as, join(programs, "postgres"), "-D", data, ...settings.flatMap((one) => ["-c", one])];
  return { command, port };
}

async function startPrivate(folder: string, options: PostgresqlOptions): Promise<PostgresqlServer> {
  const { command, port } = await prepare(folder, options);
  const server = leash(command, {
    folder,
    cwd: folder,
    // An immediate shutdown: unlike killed ones, the server takes its shared memory along.
    signal: "QUIT",
  });
  try {
    await eventually("PostgreSQL answers", () => server.exitCode !== undefined || ping(port), { msMax: 60_000 });
    if (server.exitCode !== undefined) throw new Error(`PostgreSQL did not start:\n${server.output()}`);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { ...access(port, []), socketFolder: folder, port, stop: () => server.stop() };
}

/** Debian keeps the programs of each version in a folder of its own; the newest is taken. */
function findPrograms(): string {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(debian, version, "bin")), "/usr/local/bin", "/usr/bin"];
  const found = folders.find((folder) => existsSync(join(folder, "postgres")));
  if (!found) throw new Error("PostgreSQL is needed here: install the Debian package postgresql");
  return found;
}

/** The server refuses to run as root: then it runs as its own user, who gets the folder. */
async function serverUser(folder: string): Promise<readonly string[]> {
  if (userInfo().uid !== 0) return [];
  const id = async (flag: string) => Number((await run("id", [flag, "postgres"])).stdout);
  await chown(folder, await id("-u"), await id("-g"));
  // Unlike runuser, setpriv becomes the server: who ends the one ends the other.
  return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"];
}

async function ping(port: number): Promise<boolean> {
  await administer(port, "select 1");
  return true;
}

async function joinShared(url: URL): Promise<PostgresqlServer> {
  const port = Number(url.port);
  const [row] = await administer(port, "select current_setting('unix_socket_directories') as folder");
  const made: string[] = [];
  const shared = access(port, made);
  return {
    ...shared,
    socketFolder: String(row?.folder),
    port,
    async stop() {
      for (const name of [...made]) await shared.dropDatabase(name);
    },
  };
}

function access(port: number, made: string[]): Pick<PostgresqlServer, "url" | "createDatabase" | "dropDatabase"> {
  const url = (database: string) => `postgresql://postgres@127.0.0.1:${port}/${database}`;
  return {
    url,
    async createDatabase({ name = `glance_${randomBytes(5).toString("hex")}`, template = "template0" } = {}) {
      await administer(port, `create database "${name}" template "${template}"`);
      made.push(name);
      return url(name);
    },
    async dropDatabase(name) {
      await administer(port, `drop database if exists "${name}" with (force)`);
      if (made.includes(name)) made.splice(made.indexOf(name), 1);
    },
  };
}

async function administer(port: number, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database: "postgres", ssl: false });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

// A private Galera cluster of MariaDB nodes on loopback, each on free ports with a folder of its own; gone with the process that started
// it. The first node begins the cluster, the others take its state over by rsync.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createConnection } from "mysql2/promise";
import { eventually } from "./eventually.ts";
import { freePorts } from "./free-port.ts";
import { type Leashed, leash } from "./leash.ts";

export type GaleraNode = {
  /** `mysql://root@127.0.0.1:PORT/DATABASE`: this node's. */
  url(database: string): string;
  /** Kills it with -9. The others go on without it. */
  crash(): Promise<void>;
};

export type GaleraCluster = {
  readonly nodes: readonly GaleraNode[];
  /** An empty utf8 database, on all nodes. */
  createDatabase(name: string): Promise<void>;
  stop(): Promise<void>;
};

const run = promisify(execFile);
const provider = "/usr/lib/galera/libgalera_smm.so";
/** A node that is gone is left behind after so long: until then every commit waits for it. */
const suspectSecondsUsual = 2;

type Ports = { readonly sql: number; readonly group: number; readonly ist: number; readonly sst: number };

export type GaleraOptions = {
  /** More where no node is to be crashed: a machine too busy to let one speak for two seconds would end a cluster of two. */
  readonly suspectSeconds?: number;
};

/** Takes 10 s or so. Throws a line that says what to install where that is missing. */
export async function startGalera(nodeCount: number, options: GaleraOptions = {}): Promise<GaleraCluster> {
  const program = ["/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd"].find(existsSync);
  if (!program || !existsSync(provider))
    throw new Error("a Galera cluster is needed here: install the Debian packages mariadb-server and galera-4");
  const folder = await mkdtemp(join(tmpdir(), "perennial-galera-"));
  const free = await freePorts(nodeCount * 4);
  const ports = Array.from({ length: nodeCount }, (_, index): Ports => {
    const [sql = 0, group = 0, ist = 0, sst = 0] = free.slice(index * 4);
    return { sql, group, ist, sst };
  });
  // The folder belongs to a keeper, who does nothing else: nodes may end before the cluster does.
  const keeper = leash(["tail", "-f", "/dev/null"], { folder });
  const servers: Leashed[] = [];
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await keeper.stop();
  };
  try {
    const data = join(folder, "n1", "data");
    await mkdir(data, { recursive: true });
    const as = await serverUser(folder);
    const accounts = "--auth-root-authentication-method=normal";
    const files = [`--datadir=${data}`, `--tmpdir=${join(folder, "n1")}`];
    const install = [...as, "mariadb-install-db", "--no-defaults", accounts, "--skip-test-db", ...files];
    await run(install[0] ?? "", install.slice(1));
    for (const [index, own] of ports.entries()) {
      const address = index === 0 ? "gcomm://" : `gcomm://${ports.map(({ group }) => `127.0.0.1:${group}`).join(",")}`;
      const place = join(folder, `n${index + 1}`);
      await mkdir(join(place, "data"), { recursive: true });
      await serverUser(place);
      servers.push(startNode({ command: [...as, program], folder: place, own, address, ...options }));
      await eventually(
        `node ${index + 1} of the cluster is synced`,
        async () => {
          if (servers[index]?.exitCode !== undefined) throw new Error(servers[index]?.output().slice(-3_000));
          return (await status(own, "wsrep_local_state_comment")) === "Synced";
        },
        { msMax: 120_000, everyMs: 100 },
      );
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    nodes: ports.map(({ sql }, index) => ({
      url: (database) => `mysql://root@127.0.0.1:${sql}/${database}`,
      crash: async () => servers[index]?.stop(),
    })),
    createDatabase: (name) => ask(ports[0], `create database \`${name}\` character set utf8`).then(() => undefined),
    stop,
  };
}

/** What hands state from node to node does not work for root, whose server runs as its own user then, who gets the folder. */
async function serverUser(folder: string): Promise<readonly string[]> {
  if (userInfo().uid !== 0) return [];
  await run("chown", ["-R", "mysql:mysql", folder]);
  return ["setpriv", "--reuid=mysql", "--regid=mysql", "--init-groups"];
}

type NodeStart = GaleraOptions & {
  readonly command: readonly string[];
  readonly folder: string;
  readonly own: Ports;
  readonly address: string;
};

function startNode(start: NodeStart): Leashed {
  const { command, folder, own, address, suspectSeconds = suspectSecondsUsual } = start;
  const options = [
    `gmcast.listen_addr=tcp://127.0.0.1:${own.group}`,
    `ist.recv_addr=127.0.0.1:${own.ist}`,
    "gcache.size=32M",
    "evs.keepalive_period=PT0.5S",
    `evs.suspect_timeout=PT${suspectSeconds}S`,
    `evs.inactive_timeout=PT${suspectSeconds * 3}S`,
  ].join(";");
  const args = [
    "--no-defaults",
    `--datadir=${join(folder, "data")}`,
    `--socket=${join(folder, "s")}`,
    `--tmpdir=${folder}`,
    "--bind-address=127.0.0.1",
    `--port=${own.sql}`,
    `--pid-file=${join(folder, "pid")}`,
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=32M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-autoinc-lock-mode=2",
    "--binlog-format=ROW",
    "--max-connections=200",
    "--wsrep-on=ON",
    `--wsrep-provider=${provider}`,
    `--wsrep-provider-options=${options}`,
    // A client that wrote through one node reads it through every other.
    "--wsrep-sync-wait=3",
    "--wsrep-cluster-name=perennial",
    `--wsrep-cluster-address=${address}`,
    "--wsrep-node-address=127.0.0.1",
    `--wsrep-node-incoming-address=127.0.0.1:${own.sql}`,
    `--wsrep-node-name=${own.sql}`,
    "--wsrep-sst-method=rsync",
    `--wsrep-sst-receive-address=127.0.0.1:${own.sst}`,
  ];
  return leash([...command, ...args], { folder: "", cwd: folder });
}

async function status(ports: Ports, name: string): Promise<string | undefined> {
  const [[row]] = (await ask(ports, `show status like '${name}'`)) as unknown as [[{ Value: string } | undefined]];
  return row?.Value;
}

async function ask(ports: Ports | undefined, sql: string): Promise<unknown> {
  const connection = await createConnection({ host: "127.0.0.1", port: ports?.sql ?? 0, user: "root" });
  try {
    return await connection.query(sql);
  } finally {
    await connection.end();
  }
}

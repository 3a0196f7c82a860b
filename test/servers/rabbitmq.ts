// A private RabbitMQ on a free port with a folder of its own, and a port mapper of Erlang's for it alone. Gone with the process that started it.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "amqplib";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { leash } from "./leash.ts";

export type RabbitmqServer = {
  readonly port: number;
  /** `rabbit://guest:guest@127.0.0.1:PORT/`. */
  readonly url: string;
  stop(): Promise<void>;
};

const program = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/** Starts a broker (about 6 s on an idle machine). Throws a line that says what to install where there is none. */
export async function startRabbitmq(): Promise<RabbitmqServer> {
  if (!existsSync(program)) throw new Error("RabbitMQ is needed here: install the Debian package rabbitmq-server");
  const folder = await mkdtemp(join(tmpdir(), "perennial-rabbitmq-"));
  const [port, mapperPort, nodesPort] = [await freePort(), await freePort(), await freePort()];
  const home = join(folder, "home");
  mkdirSync(home);
  writeFileSync(join(folder, "plugins"), "[].\n");
  const environment = {
    HOME: home,
    ERL_EPMD_PORT: mapperPort,
    ERL_EPMD_ADDRESS: "127.0.0.1",
    RABBITMQ_NODENAME: `perennial${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
    RABBITMQ_NODE_PORT: port,
    RABBITMQ_DIST_PORT: nodesPort,
    RABBITMQ_MNESIA_BASE: join(folder, "data"),
    RABBITMQ_LOG_BASE: join(folder, "log"),
    RABBITMQ_LOGS: "-",
    RABBITMQ_CONF_ENV_FILE: join(folder, "none"),
    RABBITMQ_CONFIG_FILE: join(folder, "none"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "plugins"),
  };
  const words = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  // Started by the broker it would be a daemon that outlives it.
  const mapper = leash(["epmd", "-port", String(mapperPort), "-address", "127.0.0.1"], { folder: "" });
  const server = leash(["env", ...words, program], { folder, cwd: folder, signal: "TERM" });
  const stop = async () => {
    await server.stop();
    await mapper.stop();
  };
  try {
    await eventually(
      "RabbitMQ answers",
      async () => {
        if (server.exitCode !== undefined) throw new Error(`RabbitMQ did not start:\n${server.output()}`);
        const connection = await connect(`amqp://guest:guest@127.0.0.1:${port}/`);
        await connection.close();
        return true;
      },
      { msMax: 180_000, everyMs: 200 },
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, url: `rabbit://guest:guest@127.0.0.1:${port}/`, stop };
}

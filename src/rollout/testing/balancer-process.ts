// Runs the embedded balancer as operators do, `glance-rollout balancer --fleet F`, for tests.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { eventually } from "../../../test/servers/eventually.ts";
import { freePort } from "../../../test/servers/free-port.ts";
import type { BuiltinAt } from "../balancers/balancer-schemas.ts";
import { createBuiltinBalancer } from "../balancers/builtin/builtin-balancer.ts";

export type BalancerProcess = {
  readonly at: BuiltinAt;
  readonly url: string;
  process: ChildProcess;
  /** Arguments for node that start it. */
  readonly command: readonly string[];
  /** Starts it again after it has ended. */
  restart(): Promise<void>;
  /** Ends it at once and removes its folder. Safe to call twice. */
  clean(): Promise<void>;
};

export async function startBalancerProcess(
  servers: readonly { name: string; address: string }[],
  settings: Partial<{ check_ms: number; hold_seconds: number }> = {},
): Promise<BalancerProcess> {
  const folder = await mkdtemp(join(tmpdir(), "perennial-balancer-"));
  const listen = `127.0.0.1:${await freePort()}`;
  const admin = join(folder, "admin");
  const fleetFile = join(folder, "fleet.yaml");
  for (const { name } of servers) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "glance-api.conf"), "");
  }
  await writeFile(
    fleetFile,
    stringify({
      name: "test",
      target: "ocata",
      journal: "journal",
      database: { connection: `sqlite:///${folder}/none.sqlite` },
      backup: { directory: "backup" },
      nodes: servers.map(({ name, address }) => ({
        name,
        driver: "local",
        address,
        directory: name,
        config: `${name}/glance-api.conf`,
      })),
      balancer: { driver: "builtin", listen, admin, check_ms: 100, ...settings },
    }),
  );
  const bin = fileURLToPath(new URL("../../../bin/glance-rollout.js", import.meta.url));
  const command = [bin, "balancer", "--fleet", fleetFile];
  const at: BuiltinAt = { driver: "builtin", listen, admin, checkMs: 100, fall: 2, rise: 1, holdMsMax: 2_000 };
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(process.execPath, command, { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr?.on("data", (text) => {
      said += text;
    });
    await eventually("the balancer answers", async () => {
      if (child.exitCode !== null) throw new Error(said);
      return createBuiltinBalancer(at, [])
        .observe(AbortSignal.timeout(1_000))
        .then(() => true);
    });
    await eventually("the balancer listens", async () => fetch(`http://${listen}/`).then(() => true));
    return child;
  };
  const running: BalancerProcess = {
    at,
    url: `http://${listen}`,
    command,
    process: await start(),
    async restart() {
      running.process = await start();
    },
    async clean() {
      const child = running.process;
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGKILL");
        await once(child, "exit");
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
  return running;
}

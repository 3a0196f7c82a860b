// The driver `health` with a real balancer that is never asked: HAProxy, which goes by the health checks alone.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../../../test/servers/eventually.ts";
import { startHaproxy } from "../../../../test/servers/haproxy.ts";
import { type Clock, systemClock } from "../../../core/clock.ts";
import { askHealth } from "../../node-health.ts";
import { balancerConformance } from "../../testing/balancer-conformance.ts";
import { startTestServer } from "../../testing/test-server.ts";
import type { HealthAt } from "../balancer-schemas.ts";
import { createHaproxyBalancer } from "../haproxy/haproxy-balancer.ts";
import { createHealthBalancer } from "./health-balancer.ts";
import { localNodeFile } from "./node-file.ts";

const signal = new AbortController().signal;
const at: HealthAt = { driver: "health", disableFile: "{node}", leaveMs: 600_000, returnMs: 500_000 };

balancerConformance("health", async (servers) => {
  const folder = await mkdtemp(join(tmpdir(), "perennial-health-"));
  const haproxy = await startHaproxy({ servers });
  const haproxyAt = {
    driver: "haproxy",
    sockets: [haproxy.socket],
    backend: haproxy.backend,
    stateFile: null,
    reloadMs: 0,
  } as const;
  const witness = createHaproxyBalancer(haproxyAt, [], systemClock);
  for (const server of servers) server.disableFile = join(folder, server.name);
  // Instead of waiting for as long as a balancer may need, the test waits until this one has seen it, however long that takes here.
  const clock: Clock = {
    ...systemClock,
    sleep: async (ms, stop) => {
      if (ms < at.returnMs) return systemClock.sleep(ms, stop);
      await eventually("HAProxy has noticed", async () => {
        const seen = await witness.observe(signal);
        return servers.every((server) => seen.get(server.name)?.up === server.passing);
      });
    },
  };
  const addressOf = (name: string) => servers.find((server) => server.name === name)?.address ?? "127.0.0.1:9";
  return {
    driver: (nodes) =>
      createHealthBalancer(
        at,
        nodes
          .filter((name) => servers.some((server) => server.name === name))
          .map((name) => ({ name, address: addressOf(name), file: localNodeFile(join(folder, name)) })),
        clock,
      ),
    url: haproxy.url,
    kill: async () => {
      await haproxy.stop();
      await rm(folder, { recursive: true, force: true });
    },
    unseen: ["sessions", "servers", "absence"],
  };
});

/** A node, and a driver whose waits are noted instead of waited for. */
async function stage(check: (of: Awaited<ReturnType<typeof makeStage>>) => Promise<void>): Promise<void> {
  const made = await makeStage();
  try {
    await check(made);
  } finally {
    await made.server.stop();
    await rm(made.folder, { recursive: true });
  }
}

async function makeStage() {
  const folder = await mkdtemp(join(tmpdir(), "perennial-health-"));
  const server = await startTestServer("n1");
  const file = join(folder, "n1");
  const waits: number[] = [];
  let nowMs = 0;
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    async sleep(ms) {
      nowMs += ms;
      waits.push(ms);
    },
  };
  const node = { name: "n1", address: server.address, file: localNodeFile(file) };
  return { folder, server, file, waits, driver: () => createHealthBalancer(at, [node], clock) };
}

test("health: the balancers get the time their settings need, once for each way, and again after a crash", async () => {
  await stage(async ({ server, file, waits, driver }) => {
    server.disableFile = file;
    const balancer = driver();
    await balancer.setState("n1", "drain", signal);
    await balancer.setState("n1", "maint", signal);
    assert.deepEqual(waits, [at.leaveMs]);
    // The run before may have died while it waited: only the file is known of it.
    await driver().setState("n1", "maint", signal);
    assert.deepEqual(waits, [at.leaveMs, at.leaveMs]);
    await balancer.setState("n1", "ready", signal);
    await balancer.setState("n1", "ready", signal);
    assert.deepEqual(waits, [at.leaveMs, at.leaveMs, at.returnMs]);
  });
});

test("health: a node that is only held out by its file is told from one that is not well", async () => {
  await stage(async ({ server, file, driver }) => {
    server.disableFile = file;
    const heldOut = async () => (await askHealth(server.address, signal)).heldOut;
    assert.equal(await heldOut(), false);
    await driver().setState("n1", "maint", signal);
    assert.equal(await heldOut(), true);
    server.healthy = false;
    assert.equal(await heldOut(), false);
  });
});

test("health: a node that does not go by the file is named with the option that makes it", async () => {
  await stage(async ({ driver, file }) => {
    await assert.rejects(driver().setState("n1", "drain", signal), (error: unknown) => {
      assert(error instanceof Error);
      assert.match(error.message, /n1 still passes its health check .*disable_by_file_path/);
      assert(error.message.includes(file));
      return true;
    });
  });
});

test("health: a file that an operator made is a drained node; a folder that is not there is told", async () => {
  await stage(async ({ folder, server, file, driver }) => {
    server.disableFile = file;
    await writeFile(file, "");
    assert.deepEqual((await driver().observe(signal)).get("n1"), { state: "drain", up: false, sessions: 0 });
    const node = { name: "n1", address: server.address, file: localNodeFile(join(folder, "absent", "n1")) };
    const balancer = createHealthBalancer(at, [node], systemClock);
    await assert.rejects(balancer.setState("n1", "drain", signal), {
      code: "rollout.driver_failed",
      message: /absent\/n1, which takes a node out of rotation, cannot be used/,
    });
  });
});

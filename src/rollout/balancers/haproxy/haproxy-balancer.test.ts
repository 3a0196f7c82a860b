// The driver `haproxy` against the real HAProxy.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { eventually } from "../../../../test/servers/eventually.ts";
import { type HaproxyServer, startHaproxy } from "../../../../test/servers/haproxy.ts";
import { systemClock } from "../../../core/clock.ts";
import { balancerConformance } from "../../testing/balancer-conformance.ts";
import type { HaproxyAt } from "../balancer-schemas.ts";
import { createHaproxyBalancer } from "./haproxy-balancer.ts";
import { parseServersState } from "./server-table.ts";

const signal = new AbortController().signal;
const names = ["n1", "n2", "n3"];
const haproxyAt = (more: Partial<HaproxyAt> & Pick<HaproxyAt, "sockets">): HaproxyAt => ({
  driver: "haproxy",
  backend: "glance",
  stateFile: null,
  reloadMs: 10_000,
  ...more,
});

balancerConformance("haproxy", async (servers) => {
  const haproxy = await startHaproxy({ servers });
  return {
    driver: (nodes) => createHaproxyBalancer(haproxyAt({ sockets: [haproxy.socket] }), nodes, systemClock),
    url: haproxy.url,
    kill: () => haproxy.stop(),
  };
});

balancerConformance("two haproxys over TCP", async (servers) => {
  const both = await Promise.all([1, 2].map(() => startHaproxy({ servers, adminTcp: true })));
  const at = haproxyAt({ sockets: both.map((one) => one.adminAddress) });
  return {
    driver: (nodes) => createHaproxyBalancer(at, nodes, systemClock),
    url: both[0]?.url ?? "",
    kill: async () => {
      for (const one of both) await one.stop();
    },
  };
});

/** Servers need not run for what is tested of states. */
type TestServer = { readonly address: string; stop(): Promise<void> };

/** Answers 200 to everything. */
async function startServer(): Promise<TestServer> {
  const server = createServer((_request, response) => response.end("ok"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** undefined: the connection was closed. */
function statusOf(url: string, agent: Agent): Promise<number | undefined> {
  return new Promise((resolve) => {
    get(url, { agent }, (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode));
    }).once("error", () => resolve(undefined));
  });
}

async function withHaproxys(
  count: number,
  check: (haproxys: readonly HaproxyServer[]) => Promise<void>,
): Promise<void> {
  const servers = names.map((name) => ({ name, address: "127.0.0.1:9" }));
  const haproxys = await Promise.all(Array.from({ length: count }, () => startHaproxy({ servers, master: true })));
  try {
    await check(haproxys);
  } finally {
    for (const one of haproxys) await one.stop();
  }
}

test("haproxy: clients of the process that a reload replaced are served by what that one knew, and the driver tells for how long", async () => {
  const [one, other] = [await startServer(), await startServer()];
  const servers = [one, other].map(({ address }, index) => ({ name: `n${index + 1}`, address }));
  const haproxy = await startHaproxy({ servers, master: true });
  // Any of them may be closed at any moment of the time that HAProxy spreads that over.
  const agents = Array.from({ length: 8 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  const ask = () => Promise.all(agents.map((agent) => statusOf(haproxy.url, agent)));
  try {
    const { socket, stateFile } = haproxy;
    const at = haproxyAt({ sockets: [socket], stateFile });
    const balancer = createHaproxyBalancer(at, ["n1", "n2"], systemClock);
    await balancer.setState("n2", "maint", signal);
    assert((await ask()).every((status) => status === 200));
    await haproxy.reload();
    const outdatedMs = await balancer.outdatedMs?.(signal);
    assert(outdatedMs !== undefined && outdatedMs > 5_000 && outdatedMs <= 10_000, `${outdatedMs} ms`);
    const careless = createHaproxyBalancer({ ...at, reloadMs: 0 }, ["n1", "n2"], systemClock);
    assert.equal(await careless.outdatedMs?.(signal), 0);
    await balancer.setState("n2", "ready", signal);
    await eventually("n2 serves", async () => (await balancer.observe(signal)).get("n2")?.up);
    await balancer.setState("n1", "maint", signal);
    await one.stop();
    // What a rollout waits for: who serves the connections of before knows of n1 alone.
    assert((await ask()).includes(503));
    assert.equal((await fetch(haproxy.url)).status, 200);
  } finally {
    for (const agent of agents) agent.destroy();
    await haproxy.stop();
    await one.stop();
    await other.stop();
  }
});

test("haproxy: states outlive a reload by the state file, which is kept with every act", async () => {
  await withHaproxys(1, async ([haproxy]) => {
    assert(haproxy);
    const { socket, stateFile } = haproxy;
    const balancer = createHaproxyBalancer(haproxyAt({ sockets: [socket], stateFile }), names, systemClock);
    await balancer.setState("n1", "drain", signal);
    await balancer.setState("n2", "maint", signal);
    await haproxy.reload();
    const states = async () => [...(await balancer.observe(signal)).values()].map(({ state }) => state);
    assert.deepEqual(await states(), ["drain", "maint", "ready"]);
    await balancer.setState("n2", "ready", signal);
    await haproxy.reload();
    assert.deepEqual(await states(), ["drain", "ready", "ready"]);
  });
});

test("haproxy: a state that one of several lost in a reload is seen as lost, and an act sets it again everywhere", async () => {
  await withHaproxys(2, async (haproxys) => {
    const sockets = haproxys.map((one) => one.socket);
    const balancer = createHaproxyBalancer(haproxyAt({ sockets }), names, systemClock);
    const seen = async () => (await balancer.observe(signal)).get("n1");
    await balancer.setState("n1", "drain", signal);
    await haproxys[1]?.reload();
    // One of them sends again: the node is not out.
    assert.deepEqual([(await seen())?.state, (await seen())?.up], ["ready", false]);
    await balancer.setState("n1", "drain", signal);
    assert.equal((await seen())?.state, "drain");
    await balancer.setState("n1", "maint", signal);
    await haproxys[0]?.reload();
    assert.equal((await seen())?.state, "drain");
    await balancer.setState("n1", "ready", signal);
    assert.equal((await seen())?.state, "ready");
  });
});

test("haproxy: one of several that is away is named, and the others have done the act", async () => {
  await withHaproxys(2, async ([here, away]) => {
    assert(here && away);
    await away.stop();
    const at = haproxyAt({ sockets: [away.socket, here.socket] });
    const balancer = createHaproxyBalancer(at, names, systemClock);
    await assert.rejects(balancer.setState("n1", "drain", signal), (error: unknown) => {
      assert(error instanceof Error);
      assert(error.message.includes(away.socket) && !error.message.includes(here.socket), error.message);
      return true;
    });
    const alone = createHaproxyBalancer(haproxyAt({ sockets: [here.socket] }), names, systemClock);
    assert.equal((await alone.observe(signal)).get("n1")?.state, "drain");
  });
});

test("haproxy: a backend that does not exist is told as HAProxy tells it", async () => {
  await withHaproxys(1, async ([haproxy]) => {
    const at = haproxyAt({ sockets: [haproxy?.socket ?? ""], backend: "nova" });
    await assert.rejects(createHaproxyBalancer(at, ["n1"], systemClock).observe(signal), {
      code: "rollout.driver_failed",
      message: /refused 'show servers state nova': .*find backend/,
    });
  });
});

test("haproxy: every kind of maintenance and drain is read from the admin bits", () => {
  const line = (name: string, op: number, admin: number) => `3 glance 1 ${name} 127.0.0.1 ${op} ${admin} 1 1`;
  const header = "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight";
  const text = [
    "1",
    header,
    line("a", 2, 0),
    line("b", 0, 0x01),
    line("c", 2, 0x08),
    line("d", 0, 0x21),
    line("e", 2, 0x10),
    "",
  ];
  const states = parseServersState(text.join("\n"), "glance");
  assert.deepEqual(
    [...(states ?? [])].map(([name, { state, up }]) => `${name} ${state} ${up}`),
    ["a ready true", "b maint false", "c drain true", "d maint false", "e drain true"],
  );
});

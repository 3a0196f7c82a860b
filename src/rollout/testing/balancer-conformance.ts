// What every balancer driver promises, tried against the real balancer with real servers behind it and clients in front.
import assert from "node:assert/strict";
import { Agent, get } from "node:http";
import { test } from "node:test";
import { eventually } from "../../../test/servers/eventually.ts";
import type { Balancer } from "../balancers/balancer.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

export type BalancerSetup = {
  /** A driver that expects these nodes. */
  driver(nodes: readonly string[]): Balancer;
  /** http://host:port, where clients go. */
  readonly url: string;
  /** Ends the balancer itself, at once. */
  kill(): Promise<void>;
  /** Removes what is left when the balancer has ended. */
  clean?(): Promise<void>;
  /** What a driver of such a balancer cannot see: requests under way, which servers the balancer has, and whether it is there. */
  readonly unseen?: readonly ("sessions" | "servers" | "absence")[];
};

const signal = new AbortController().signal;
const names = ["n1", "n2", "n3"];

/** `start`: the real balancer, with health checks every 200 ms or so, in front of these servers. */
export function balancerConformance(
  driverName: string,
  start: (servers: readonly TestServer[]) => Promise<BalancerSetup>,
): void {
  type Stage = BalancerSetup & { readonly servers: readonly TestServer[]; readonly balancer: Balancer };
  const promise = (title: string, check: (stage: Stage) => Promise<void>) =>
    test(`${driverName}: ${title}`, async () => {
      const servers = await Promise.all(names.map((name) => startTestServer(name)));
      let setup: BalancerSetup | undefined;
      try {
        setup = await start(servers);
        const stage = { ...setup, servers, balancer: setup.driver(names) };
        await eventually("all servers are up", async () => (await upServers(stage.balancer)).length === names.length);
        await check(stage);
      } finally {
        await setup?.kill();
        await setup?.clean?.();
        for (const server of servers) await server.stop();
      }
    });

  promise("what is set is what is seen, as often as it is set", async ({ balancer }) => {
    for (const state of ["drain", "maint", "maint", "ready", "maint", "drain", "drain", "ready"] as const) {
      await balancer.setState("n2", state, signal);
      const seen = await balancer.observe(signal);
      assert.equal(seen.get("n2")?.state, state);
      assert.equal(seen.get("n1")?.state, "ready");
    }
    await eventually("n2 is up again", async () => (await upServers(balancer)).includes("n2"));
  });

  promise("a server out of rotation gets nothing new, and one back in rotation gets its share", async (stage) => {
    for (const state of ["drain", "maint"] as const) {
      await stage.balancer.setState("n1", state, signal);
      assert.deepEqual(await answeringServers(stage.url), new Set(["n2", "n3"]));
      await stage.balancer.setState("n1", "ready", signal);
      await eventually("n1 answers", async () => (await answeringServers(stage.url)).has("n1"));
    }
  });

  promise(
    "a request under way is counted, and is finished in drain and in maintenance",
    async ({ balancer, servers, url, unseen }) => {
      for (const state of ["drain", "maint"] as const) {
        const body = fetch(`${url}/hold`).then((response) => response.text());
        const holder = await eventually("a server holds it", () => servers.find((server) => server.holding > 0));
        await balancer.setState(holder.name, state, signal);
        if (!unseen?.includes("sessions")) assert.equal((await balancer.observe(signal)).get(holder.name)?.sessions, 1);
        holder.release();
        assert.equal(await body, `held by ${holder.name}`);
        await eventually(
          "the session ended",
          async () => (await balancer.observe(signal)).get(holder.name)?.sessions === 0,
        );
        await balancer.setState(holder.name, "ready", signal);
        await eventually("all are up", async () => (await upServers(balancer)).length === names.length);
      }
    },
  );

  promise(
    "a server that fails its health check is down, and up again when it passes",
    async ({ balancer, servers }) => {
      const [first] = servers;
      assert(first);
      first.healthy = false;
      await eventually("n1 is down", async () => !(await upServers(balancer)).includes("n1"));
      assert.equal((await balancer.observe(signal)).get("n1")?.state, "ready");
      first.healthy = true;
      await eventually("n1 is up", async () => (await upServers(balancer)).includes("n1"));
    },
  );

  promise(
    "servers leave and return one after another under traffic, and no request is lost",
    async ({ balancer, url }) => {
      const traffic = startTraffic(url, 8);
      for (let round = 0; round < 2; round++) {
        for (const name of names) {
          await balancer.setState(name, "drain", signal);
          await eventually("drained", async () => (await balancer.observe(signal)).get(name)?.sessions === 0);
          await balancer.setState(name, "maint", signal);
          await balancer.setState(name, "ready", signal);
          await eventually("up", async () => (await upServers(balancer)).includes(name));
        }
      }
      const { requests, failures } = await traffic.stop();
      assert.deepEqual(failures, []);
      assert(requests > 100, `${requests} requests`);
    },
  );

  promise("a server that dies under traffic costs no request that another one can serve", async ({ servers, url }) => {
    const traffic = startTraffic(url, 6);
    await eventually("traffic flows", () => traffic.requests() > 100);
    // As kill -9 leaves it: connections are reset, in mid-request too, and new ones refused.
    await servers[1]?.stop();
    const atDeath = traffic.requests();
    await eventually("traffic goes on", () => traffic.requests() > atDeath + 300);
    assert.deepEqual((await traffic.stop()).failures, []);
  });

  promise("a node the balancer does not have is named, with those it has", async ({ driver, unseen }) => {
    if (!unseen?.includes("servers")) {
      await assert.rejects(driver([...names, "n9"]).observe(signal), {
        code: "rollout.fleet_invalid",
        message: /n9.*n1, n2, n3/,
      });
    }
    await assert.rejects(driver(names).setState("n9", "drain", signal), { code: "rollout.driver_failed" });
  });

  promise("a balancer that is gone is named, with the next step", async ({ balancer, kill, unseen }) => {
    if (unseen?.includes("absence")) return;
    await kill();
    const expected = { code: "rollout.driver_failed", message: /cannot be asked .*; (see that|start it)/ };
    await assert.rejects(balancer.observe(signal), expected);
    await assert.rejects(balancer.setState("n1", "drain", signal), expected);
  });
}

async function upServers(balancer: Balancer): Promise<string[]> {
  return [...(await balancer.observe(signal))].filter(([, view]) => view.up).map(([name]) => name);
}

async function answeringServers(url: string): Promise<Set<string>> {
  return new Set(await Promise.all(Array.from({ length: 12 }, async () => (await fetch(url)).text())));
}

/** Clients that keep their connections and never repeat a request by themselves. */
export function startTraffic(
  url: string,
  clients: number,
): { requests(): number; stop(): Promise<{ requests: number; failures: string[] }> } {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const failures: string[] = [];
  let requests = 0;
  let running = true;
  const once = () =>
    new Promise<void>((resolve) => {
      const fail = (why: string) => {
        failures.push(why);
        resolve();
      };
      get(url, { agent }, (response) => {
        response.resume().on("error", (error) => fail(String(error)));
        response.on("end", () => (response.statusCode === 200 ? resolve() : fail(String(response.statusCode))));
      }).on("error", (error) => fail(String(error)));
      requests++;
    });
  const loops = Array.from({ length: clients }, async () => {
    while (running) await once();
  });
  return {
    requests: () => requests,
    async stop() {
      running = false;
      await Promise.all(loops);
      agent.destroy();
      return { requests, failures };
    },
  };
}

// The driver `builtin` against the real balancer process.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { test } from "node:test";
import { eventually } from "../../../../test/servers/eventually.ts";
import { balancerConformance } from "../../testing/balancer-conformance.ts";
import { startBalancerProcess } from "../../testing/balancer-process.ts";
import { startTestServer } from "../../testing/test-server.ts";
import { createBuiltinBalancer } from "./builtin-balancer.ts";

const signal = new AbortController().signal;

balancerConformance("builtin", async (servers) => {
  const running = await startBalancerProcess(servers);
  return { driver: (nodes) => createBuiltinBalancer(running.at, nodes), url: running.url, kill: () => running.clean() };
});

test("builtin: states outlive the balancer's death", async () => {
  const servers = await Promise.all(["n1", "n2"].map((name) => startTestServer(name)));
  const running = await startBalancerProcess(servers);
  try {
    assert.equal(statSync(running.at.admin).mode & 0o777, 0o600, "the admin socket is ours alone");
    const balancer = createBuiltinBalancer(running.at, ["n1", "n2"]);
    await balancer.setState("n1", "drain", signal);
    running.process.kill("SIGKILL");
    await once(running.process, "exit");
    await running.restart();
    assert.equal((await balancer.observe(signal)).get("n1")?.state, "drain");
    assert.equal(await (await fetch(running.url)).text(), "n2");
  } finally {
    await running.clean();
    for (const server of servers) await server.stop();
  }
});

test("builtin: SIGTERM lets the requests under way finish, then it exits with 0", async () => {
  const server = await startTestServer("n1");
  const running = await startBalancerProcess([server]);
  try {
    const held = fetch(`${running.url}/hold`).then((response) => response.text());
    await eventually("held", () => server.holding === 1);
    running.process.kill("SIGTERM");
    await eventually("nothing new is accepted", async () =>
      fetch(running.url).then(
        () => false,
        () => true,
      ),
    );
    server.release();
    assert.equal(await held, "held by n1");
    const [code] = await once(running.process, "exit");
    assert.equal(code, 0);
  } finally {
    await running.clean();
    await server.stop();
  }
});

test("builtin: a second balancer of the same fleet is refused in one line, and the first one lives on", async () => {
  const server = await startTestServer("n1");
  const running = await startBalancerProcess([server]);
  try {
    const second = spawn(process.execPath, running.command, { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    second.stderr.on("data", (text) => {
      said += text;
    });
    const [code] = await once(second, "close");
    assert.equal(code, 71);
    assert.match(said, /^glance-rollout: the balancer cannot listen on .*a balancer runs there already\n$/);
    assert.equal(await (await fetch(running.url)).text(), "n1");
  } finally {
    await running.clean();
    await server.stop();
  }
});

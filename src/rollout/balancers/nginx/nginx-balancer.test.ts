// The driver `nginx` against the real nginx, with the sample configuration.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { type NginxServer, startNginx } from "../../../../test/servers/nginx.ts";
import { systemClock } from "../../../core/clock.ts";
import { balancerConformance } from "../../testing/balancer-conformance.ts";
import type { NginxAt } from "../balancer-schemas.ts";
import { createNginxBalancer } from "./nginx-balancer.ts";
import { parseServers, withState } from "./servers-file.ts";

const signal = new AbortController().signal;
const names = ["n1", "n2"];
const atOf = ({ serversFile, pidFile, test: tried, reload }: NginxServer): NginxAt => ({
  driver: "nginx",
  serversFile,
  pidFile,
  test: tried,
  reload,
});

balancerConformance("nginx", async (servers) => {
  const nginx = await startNginx(servers);
  return {
    driver: (nodes) => createNginxBalancer(atOf(nginx), nodes, systemClock),
    url: nginx.url,
    kill: () => nginx.stop(),
  };
});

/** Servers need not run for what is tested of files. */
async function withNginx(check: (nginx: NginxServer) => Promise<void>): Promise<void> {
  const nginx = await startNginx(names.map((name, index) => ({ name, address: `127.0.0.1:${index + 8}` })));
  try {
    await check(nginx);
  } finally {
    await nginx.stop();
  }
}

test("nginx: a line keeps all but its state, and lines that are not ours stay as they are", () => {
  const text = "# ours\nserver a:1 weight=2 down max_fails=0; # n1 drain\n  server [::1]:2;#n2\nserver b:3;\n";
  assert.deepEqual(
    [...parseServers(text)],
    [
      ["n1", { address: "a:1", state: "drain" }],
      ["n2", { address: "[::1]:2", state: "ready" }],
    ],
  );
  const changed = withState(withState(text, "n1", "ready"), "n2", "maint");
  assert.equal(
    changed,
    "# ours\nserver a:1 weight=2 max_fails=0; # n1\n  server [::1]:2 down; # n2 maint\nserver b:3;\n",
  );
  assert.equal(withState(withState(changed, "n2", "ready"), "n2", "maint"), changed);
});

test("nginx: a rollout that died before the reload finds the server still in rotation, and makes the act again", async () => {
  await withNginx(async (nginx) => {
    const balancer = createNginxBalancer(atOf(nginx), names, systemClock);
    const state = async () => (await balancer.observe(signal)).get("n1")?.state;
    await balancer.setState("n1", "drain", signal);
    await balancer.setState("n1", "ready", signal);
    const dying = createNginxBalancer({ ...atOf(nginx), reload: ["false"] }, names, systemClock);
    await assert.rejects(dying.setState("n1", "drain", signal), { message: /drain n1: 'false' ended with 1/ });
    assert.match(await readFile(nginx.serversFile, "utf8"), /down; # n1 drain/);
    assert.equal(await state(), "ready");
    await balancer.setState("n1", "drain", signal);
    assert.equal(await state(), "drain");
    // The same on the way back: it is not in rotation before nginx says so.
    await balancer.setState("n1", "maint", signal);
    await assert.rejects(dying.setState("n1", "ready", signal));
    assert.equal(await state(), "drain");
    await balancer.setState("n1", "ready", signal);
    assert.equal(await state(), "ready");
  });
});

test("nginx: what nginx's own test refuses is taken back, and told in its words", async () => {
  await withNginx(async (nginx) => {
    const balancer = createNginxBalancer(atOf(nginx), names, systemClock);
    const text = `${await readFile(nginx.serversFile, "utf8")}sever 127.0.0.1:1;\n`;
    await writeFile(nginx.serversFile, text);
    await assert.rejects(balancer.setState("n1", "drain", signal), {
      code: "rollout.driver_failed",
      message: /nginx refuses its configuration, so its servers stay as they are: .*unknown directive "sever"/,
    });
    assert.equal(await readFile(nginx.serversFile, "utf8"), text);
  });
});

// The driver `haproxy` against the real HAProxy.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startHaproxy } from "../../../../test/servers/haproxy.ts";
import { systemClock } from "../../../core/clock.ts";
import { balancerConformance } from "../../testing/balancer-conformance.ts";
import { createHaproxyBalancer } from "./haproxy-balancer.ts";
import { parseServersState } from "./server-table.ts";

balancerConformance("haproxy", async (servers) => {
  const haproxy = await startHaproxy({ servers });
  const { socket, backend } = haproxy;
  return {
    driver: (nodes) => createHaproxyBalancer({ driver: "haproxy", socket, backend }, nodes, systemClock),
    url: haproxy.url,
    kill: () => haproxy.stop(),
  };
});

test("haproxy: a backend that does not exist is told as HAProxy tells it", async () => {
  const haproxy = await startHaproxy({ servers: [{ name: "n1", address: "127.0.0.1:9" }] });
  try {
    const at = { driver: "haproxy", socket: haproxy.socket, backend: "nova" } as const;
    const balancer = createHaproxyBalancer(at, ["n1"], systemClock);
    await assert.rejects(balancer.observe(new AbortController().signal), {
      code: "rollout.driver_failed",
      message: /refused 'show servers state nova': .*find backend/,
    });
  } finally {
    await haproxy.stop();
  }
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

// The watch over new and old nodes: figures of both since the same moment, from nodes that answer over HTTP.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { Clock } from "../../core/clock.ts";
import type { NodeView } from "../snapshot.ts";
import { CanaryWatch } from "./canary-watch.ts";

type Counts = { ok: number; failed: number };
const { signal } = new AbortController();

test("new and old nodes are compared since the same moment; another set of new nodes, or a restart, begins anew", async (t) => {
  const counts: Record<string, Counts> = { n1: { ok: 5, failed: 5 }, n2: { ok: 50, failed: 0 } };
  const addresses = new Map<string, string>();
  for (const name of ["n1", "n2"]) {
    const server = createServer((_request, response) => {
      const { ok, failed } = counts[name] ?? { ok: 0, failed: 0 };
      response.end(
        `perennial_api_requests_total{method="GET",route="/images",status="2xx"} ${ok}\nperennial_api_requests_total{method="GET",route="/images",status="5xx"} ${failed}\n`,
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    addresses.set(name, `127.0.0.1:${(server.address() as AddressInfo).port}`);
  }
  let nowMs = 0;
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: async () => undefined };
  const watch = new CanaryWatch({ target: "ocata", clock, addressOf: (name) => addresses.get(name) });
  const node = (name: string, release: "newton" | "ocata", failures: number, starts = 0): NodeView => ({
    name,
    configRelease: release,
    process: "running",
    release,
    healthy: true,
    processMs: 1,
    rotation: { state: "ready", up: true, sessions: 0, failures },
    transfers: null,
    heartbeatAgeSeconds: null,
    starts,
    lastWords: null,
    gate: "passed",
  });
  const look = (...nodes: readonly NodeView[]) => {
    nowMs += 10_000;
    return watch.look(nodes, signal);
  };
  assert.equal(await look(node("n1", "newton", 0), node("n2", "newton", 0)), null, "nothing new to compare");
  assert.equal(await look(node("n1", "ocata", 7), node("n2", "newton", 3)), null, "the window begins");
  Object.assign(counts, { n1: { ok: 95, failed: 15 }, n2: { ok: 150, failed: 1 } });
  const figures = await look(node("n1", "ocata", 7), node("n2", "newton", 8));
  assert.deepEqual(figures, {
    windowMs: 10_000,
    new: { nodes: ["n1"], requests: 100, errors: 10, p99Ms: null },
    // The balancer saw five answers fail, of which the node knows one.
    old: { nodes: ["n2"], requests: 101, errors: 5, p99Ms: null },
  });
  assert.equal(await look(node("n1", "ocata", 7, 1), node("n2", "newton", 8)), null, "it was started again");
  counts.n2 = { ok: 1, failed: 0 };
  assert.equal(await look(node("n1", "ocata", 7, 1), node("n2", "newton", 8)), null, "its counters began anew");
  addresses.delete("n2");
  const alone = await look(node("n1", "ocata", 7, 1), node("n2", "newton", 8));
  assert.equal(alone?.old.requests ?? 0, 0, "a node that does not tell has no figures");
});

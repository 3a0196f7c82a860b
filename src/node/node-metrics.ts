// The metrics of the whole node: those of all workers added up, and what only the supervisor knows.
import { AggregatorRegistry, Counter, Gauge, Registry } from "prom-client";
import type { TransferSummary } from "./transfer-summary.ts";
import type { WorkerMetrics } from "./worker-protocol.ts";

export type NodeFacts = {
  readonly name: string;
  readonly release: string;
  readonly packageVersion: string;
  readonly state: string;
  readonly fit: boolean;
  readonly workers: number;
  readonly workersReplaced: number;
  readonly transfers: TransferSummary;
  readonly requestsInFlight: number;
  readonly connections: number;
  readonly p99Ms: number | null;
  readonly heartbeatAgeSeconds: number;
};

/** The Prometheus text of the node. */
export async function nodeMetrics(
  facts: NodeFacts,
  workers: readonly WorkerMetrics[],
): Promise<{ contentType: string; body: string }> {
  const own = new Registry();
  const gauge = (name: string, help: string, value: number, labels: Readonly<Record<string, string>> = {}) => {
    const existing = own.getSingleMetric(name);
    const metric = existing instanceof Gauge ? existing : newGauge(own, name, help, Object.keys(labels));
    metric.set(labels, value);
  };
  const { name, release, packageVersion, state } = facts;
  gauge("perennial_node_info", "What runs here.", 1, { name, release, version: packageVersion, state });
  gauge("perennial_node_fit", "1 while the node may be in rotation as far as it knows.", facts.fit ? 1 : 0);
  gauge("perennial_workers", "Worker processes, those that finish after a reload included.", facts.workers);
  gauge("perennial_transfers_in_flight", "Uploads and downloads under way.", facts.transfers.uploads, {
    kind: "upload",
  });
  gauge("perennial_transfers_in_flight", "", facts.transfers.downloads, { kind: "download" });
  if (facts.transfers.bytesLeft !== null)
    gauge(
      "perennial_transfer_bytes_left",
      "Bytes that transfers under way have still to move.",
      facts.transfers.bytesLeft,
    );
  if (facts.transfers.etaSeconds !== null)
    gauge("perennial_transfer_eta_seconds", "Seconds until the last transfer is through.", facts.transfers.etaSeconds);
  gauge("perennial_requests_in_flight", "Requests under way, transfers included.", facts.requestsInFlight);
  gauge("perennial_connections", "Open client connections.", facts.connections);
  if (facts.p99Ms !== null)
    gauge(
      "perennial_request_p99_seconds",
      "99th percentile of the last half minute, transfers left out.",
      facts.p99Ms / 1000,
    );
  gauge("perennial_heartbeat_age_seconds", "Seconds since the registry was last written.", facts.heartbeatAgeSeconds);
  const replaced = new Counter({
    name: "perennial_workers_replaced_total",
    help: "Workers that died and were replaced.",
    registers: [own],
  });
  replaced.inc(facts.workersReplaced);
  const all = AggregatorRegistry.aggregate([...workers, await own.getMetricsAsJSON()]);
  return { contentType: all.contentType, body: await all.metrics() };
}

function newGauge(registry: Registry, name: string, help: string, labelNames: string[]): Gauge {
  return new Gauge({ name, help, labelNames, registers: [registry] });
}

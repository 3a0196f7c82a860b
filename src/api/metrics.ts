// Counts and times requests for Prometheus. The registry is given, because a node adds up those of all its workers.
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

export interface ApiMetrics {
  /** Returns what is to be called once, when the answer is out or the client gone. */
  begin(): (result: { readonly method: string; readonly route: string; readonly status: number }) => void;
}

/** Names of methods come from clients; only those that routes have become labels. */
const methods: readonly string[] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

export function createApiMetrics(registry: Registry): ApiMetrics {
  const requests = new Counter({
    name: "perennial_api_requests_total",
    help: "Requests answered, by route and class of status.",
    labelNames: ["method", "route", "status"],
    registers: [registry],
  });
  const durations = new Histogram({
    name: "perennial_api_request_duration_seconds",
    help: "Time from the first byte of a request to the last of its answer; of routes with image data, the client's time.",
    labelNames: ["method", "route"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600],
    registers: [registry],
  });
  const inFlight = new Gauge({
    name: "perennial_api_requests_in_flight",
    help: "Requests that are being answered.",
    registers: [registry],
  });
  return {
    begin() {
      const beganMs = performance.now();
      inFlight.inc();
      return ({ method, route, status }) => {
        const labels = { method: methods.includes(method) ? method : "other", route };
        inFlight.dec();
        requests.inc({ ...labels, status: `${Math.floor(status / 100)}xx` });
        durations.observe(labels, (performance.now() - beganMs) / 1000);
      };
    },
  };
}

// What a run of a rollout is told to do and with which settings, for its journal. Settings are chosen, not filtered: what is not named
// here stays out, because a fleet file may hold passwords in places that nobody expects.
import { hostname } from "node:os";
import { packageVersion } from "../core/package-version.ts";
import { parseDatabaseUrl } from "../db/url.ts";
import type { Plan } from "./decide.ts";
import type { Fleet } from "./fleet.ts";

export type RunFacts = {
  readonly way: Plan["way"];
  readonly target: string;
  /** Of this package. */
  readonly version: string;
  readonly host: string;
  /** By the fleet file's names, for people. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
};

export function runFacts(fleet: Fleet, way: Plan["way"]): RunFacts {
  return { way, target: fleet.target, version: packageVersion(), host: hostname(), settings: settingsOf(fleet) };
}

function settingsOf(fleet: Fleet): RunFacts["settings"] {
  const { database, drain, health, gates, events } = fleet;
  const drivers = [...new Set(fleet.nodes.map((node) => node.driver))];
  return {
    nodes: `${fleet.nodes.length} (${drivers.join(", ")})`,
    database: "config" in database ? database.config : parseDatabaseUrl(database.connection).display,
    journal: fleet.journal,
    "backup.directory": fleet.backup.directory,
    "backup.deadline_seconds": fleet.backup.msMax / 1000,
    "balancer.driver": fleet.balancer.driver,
    strategy: fleet.strategy,
    "capacity.serving_min": fleet.servingMin,
    batches: fleet.batches.join(", "),
    "drain.policy": drain.policy,
    "drain.deadline_seconds": drain.msMax / 1000,
    "start.deadline_seconds": fleet.startMsMax / 1000,
    "health.deadline_seconds": health.msMax / 1000,
    "health.min_seconds": health.minMs / 1000,
    "contract.soak_seconds": fleet.soakMs / 1000,
    "gates.synthetic": gates.synthetic,
    "gates.token": gates.token === undefined ? "none" : "set, not shown",
    ...(gates.canary && {
      "gates.canary.window_seconds": gates.canary.windowMs / 1000,
      "gates.canary.requests_min": gates.canary.requestsMin,
      "gates.canary.error_rate_max": gates.canary.errorRateMax,
      "gates.canary.p99_ratio_max": gates.canary.p99RatioMax,
      "gates.canary.on_failure": gates.canary.onFailure,
    }),
    ...(events.webhook && { "events.webhook": `${new URL(events.webhook.url).host}, not shown in full` }),
    "events.hooks": events.hooks.length,
    ...(fleet.metricsFile !== null && { "metrics.file": fleet.metricsFile }),
  };
}

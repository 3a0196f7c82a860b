// Reads fleet.yaml: which nodes there are, what balances them, where their database is and how careful a rollout has to be.
// Everything is checked here, so that the other files of this room never meet a wrong fleet.
import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { Ajv } from "ajv";
import { parseDocument } from "yaml";
import { errorText, isServiceError, ServiceError } from "../core/errors.ts";
import type { ReleaseId } from "../releases/catalogue.ts";
import { type BalancerText, type FleetBalancer, readBalancer } from "./balancers/balancer-schemas.ts";
import type { CanaryRule } from "./canary/judge-canary.ts";
import type { Strategy } from "./decide.ts";
import type { EventsAt, HookAt } from "./events/destinations.ts";
import { fleetProblem } from "./fleet-problem.ts";
import { fleetSchema } from "./fleet-schema.ts";
import type { GlanceText } from "./nodes/glance-schema.ts";
import { type FleetNode, type NodeText, readNode } from "./nodes/node-schemas.ts";

export type DrainPolicy = "wait" | "pause" | "cut";

export type Fleet = {
  readonly file: string;
  readonly name: string;
  readonly target: ReleaseId;
  readonly journal: string;
  readonly database: { readonly config: string } | { readonly connection: string };
  readonly backup: { readonly directory: string; readonly msMax: number };
  readonly nodes: readonly FleetNode[];
  readonly balancer: FleetBalancer;
  readonly strategy: Strategy;
  readonly servingMin: number;
  readonly drain: { readonly msMax: number; readonly policy: DrainPolicy };
  readonly startMsMax: number;
  /** How many nodes each batch moves; the last number goes for all that follow. */
  readonly batches: readonly [number, ...number[]];
  readonly health: { readonly msMax: number; readonly minMs: number };
  readonly soakMs: number;
  /** Who is told of the journal's entries. */
  readonly events: EventsAt;
  /** Where the rollout's figures for Prometheus are written; null: nowhere. */
  readonly metricsFile: string | null;
  readonly gates: {
    readonly synthetic: boolean;
    readonly token?: string;
    readonly msMax: number;
    readonly canary?: CanaryRule;
  };
};

type CanaryText = {
  window_seconds: number;
  requests_min: number;
  error_rate_max: number;
  p99_ratio_max: number;
  on_failure: CanaryRule["onFailure"];
};
type FleetText = {
  name: string;
  target: ReleaseId;
  journal: string;
  database: { config?: string; connection?: string };
  backup: { directory: string; deadline_seconds: number };
  nodes: NodeText[];
  glance?: GlanceText;
  balancer: BalancerText;
  strategy: Strategy;
  capacity: { serving_min?: number };
  drain: { deadline_seconds: number; policy: DrainPolicy };
  start: { deadline_seconds: number };
  batches: (number | string)[];
  health: { deadline_seconds: number; min_seconds: number };
  contract: { soak_seconds: number };
  events: { webhook?: EventsAt["webhook"]; hooks: HookAt[] };
  metrics?: { file: string };
  gates: { synthetic: boolean; token?: string; deadline_seconds: number; canary?: CanaryText };
};

/** The schema is ours, and a test holds it to JSON Schema's own, whose compilation would take a tenth of the start of a command. */
const ajv = new Ajv({
  discriminator: true,
  verbose: true,
  useDefaults: true,
  allErrors: true,
  validateSchema: false,
});
const validate = ajv.compile<FleetText>(fleetSchema);

/** Reads and checks the file. Relative paths in it are relative to it. Throws rollout.fleet_invalid, in one line. */
export function loadFleet(path: string): Fleet {
  const file = resolve(path);
  const parsed = withSections(parseYaml(file));
  if (!validate(parsed)) {
    const errors = validate.errors ?? [];
    // A misspelt key is also a missing one; what was written says more than what was not.
    // What is wrong with each of several shapes says less than which shapes there are.
    const telling = ["additionalProperties", "anyOf"].map((keyword) => errors.find((one) => one.keyword === keyword));
    const told = telling.find((one) => one !== undefined) ?? errors[0];
    throw invalid(file, told ? fleetProblem(told) : "is not a fleet file");
  }
  const fleet = toFleet(file, parsed);
  checkNodes(fleet);
  checkFiles(fleet);
  return fleet;
}

function parseYaml(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw invalid(file, `cannot be read (${errorText(error)}); write one after deploy/fleet.yaml`, error);
  }
  const document = parseDocument(text, { prettyErrors: true });
  const [problem] = document.errors;
  if (problem) throw invalid(file, problem.message.split("\n")[0] ?? "is not YAML", problem);
  return document.toJS({ maxAliasCount: 100 });
}

/** Sections that may be left out altogether still have defaults inside. */
function withSections(parsed: unknown): unknown {
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return parsed;
  return { capacity: {}, drain: {}, start: {}, health: {}, contract: {}, gates: {}, events: {}, ...parsed };
}

function toFleet(file: string, text: FleetText): Fleet {
  const at = (path: string) => resolve(dirname(file), path);
  const { config, connection } = text.database;
  const batches = batchSizes(text.batches, text.nodes.length);
  return {
    file,
    name: text.name,
    target: text.target,
    journal: at(text.journal),
    database: config === undefined ? { connection: connection ?? "" } : { config: at(config) },
    backup: { directory: at(text.backup.directory), msMax: text.backup.deadline_seconds * 1000 },
    nodes: within(file, () =>
      text.nodes.map((node, index) => readNode(node, { index, target: text.target, at, glance: text.glance })),
    ),
    balancer: within(file, () => readBalancer(text.balancer, at)),
    strategy: text.strategy,
    // By default all nodes that no batch takes out at once are to serve; a fleet of one must say that it accepts the gap.
    servingMin: text.capacity.serving_min ?? Math.max(1, text.nodes.length - Math.max(...batches)),
    drain: { msMax: text.drain.deadline_seconds * 1000, policy: text.drain.policy },
    startMsMax: text.start.deadline_seconds * 1000,
    batches,
    health: { msMax: text.health.deadline_seconds * 1000, minMs: text.health.min_seconds * 1000 },
    soakMs: text.contract.soak_seconds * 1000,
    events: { hooks: text.events.hooks, ...(text.events.webhook && { webhook: text.events.webhook }) },
    metricsFile: text.metrics ? at(text.metrics.file) : null,
    gates: {
      synthetic: text.gates.synthetic,
      msMax: text.gates.deadline_seconds * 1000,
      ...(text.gates.token !== undefined && { token: text.gates.token }),
      ...(text.gates.canary && { canary: readCanary(text.gates.canary) }),
    },
  };
}

function readCanary(text: CanaryText): CanaryRule {
  return {
    windowMs: text.window_seconds * 1000,
    requestsMin: text.requests_min,
    errorRateMax: text.error_rate_max,
    p99RatioMax: text.p99_ratio_max,
    onFailure: text.on_failure,
  };
}

/** `10%` of the fleet is at least one node. */
function batchSizes(batches: readonly (number | string)[], nodes: number): readonly [number, ...number[]] {
  const sizes = batches.map((batch) => {
    return typeof batch === "number" ? batch : Math.max(1, Math.floor((Number.parseInt(batch, 10) * nodes) / 100));
  });
  const [first = 1, ...others] = sizes;
  return [first, ...others];
}

/** What a driver's part finds wrong is told with the file's name. */
function within<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw isServiceError(error, "rollout.fleet_invalid") ? invalid(file, error.message, error) : error;
  }
}

function checkNodes(fleet: Fleet): void {
  // Nodes on hosts of their own may well have their configuration at the same path.
  const own: Readonly<Record<string, (node: FleetNode) => string | undefined>> = {
    name: (node) => node.name,
    address: (node) => node.address,
    config: (node) => (node.driver === "local" ? node.config : undefined),
  };
  for (const [key, get] of Object.entries(own)) {
    const seen = new Map<string, number>();
    for (const [index, node] of fleet.nodes.entries()) {
      const value = get(node);
      if (value === undefined) continue;
      const before = seen.get(value);
      if (before !== undefined) {
        throw invalid(
          fleet.file,
          `nodes[${index}].${key} is ${value}, as is nodes[${before}].${key}; each is one node's own`,
        );
      }
      seen.set(value, index);
    }
  }
  if (fleet.servingMin > fleet.nodes.length) {
    throw invalid(
      fleet.file,
      `capacity.serving_min is ${fleet.servingMin}; allowed: up to ${fleet.nodes.length}, the number of nodes`,
    );
  }
}

function checkFiles(fleet: Fleet): void {
  if ("config" in fleet.database) mustBe(fleet, "database.config", fleet.database.config, "file");
  for (const [index, node] of fleet.nodes.entries()) {
    if (node.driver === "ssh" && node.install && "packages" in node.install) {
      for (const [release, path] of Object.entries(node.install.packages))
        mustBe(fleet, `nodes[${index}].install.${node.install.by}.${release}`, path, "file");
    }
    if (node.driver !== "local") continue;
    mustBe(fleet, `nodes[${index}].directory`, node.directory, "directory");
    mustBe(fleet, `nodes[${index}].config`, node.config, "file");
    for (const [release, path] of Object.entries(node.packages ?? {})) {
      mustBe(fleet, `nodes[${index}].packages.${release}`, path, "directory");
    }
    if (node.packages && !node.packages[fleet.target]) {
      throw invalid(fleet.file, `nodes[${index}].packages.${fleet.target} is missing: it is the target`);
    }
  }
}

function mustBe(fleet: Fleet, path: string, file: string, kind: "file" | "directory"): void {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat && (kind === "file" ? stat.isFile() : stat.isDirectory())) return;
  throw invalid(fleet.file, `${path} is ${file}, which ${stat ? `is not a ${kind}` : "does not exist"}`);
}

function invalid(file: string, problem: string, cause?: unknown): ServiceError {
  return new ServiceError("rollout.fleet_invalid", `${file}: ${problem}`, {
    facts: { file },
    ...(cause !== undefined && { cause }),
  });
}

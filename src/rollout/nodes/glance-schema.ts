// What fleet.yaml may say under `glance:`, for all nodes and for one: what a node is that Glance serves from, how it is told from other
// processes of its host, and how it is stopped and started. Checked by ../fleet.ts.
import { ServiceError } from "../../core/errors.ts";
import { type ReleaseId, releaseIds } from "../../releases/catalogue.ts";
import { text, words } from "../schema-parts.ts";
import type { FleetNode } from "./node-schemas.ts";

/** A node's Glance. */
export type GlanceAt = {
  /** What is declared of it. */
  readonly release: ReleaseId;
  /** Its configuration files on its host, in the order it reads them. */
  readonly configs: readonly string[];
  /** Finds its processes by their command lines. */
  readonly process: RegExp;
  /** Its systemd unit; null: it is started by `start`. */
  readonly unit: string | null;
  readonly systemctl: readonly string[];
  /** Becomes Glance, or starts it; without a unit. */
  readonly start: readonly string[];
  /** Absent: its first process gets SIGTERM. */
  readonly stop: readonly string[] | null;
  /** Where the output of `start` goes. */
  readonly log: string;
  /** Prints its version. */
  readonly version: readonly string[];
};

export type GlanceText = {
  release?: ReleaseId;
  config?: string | string[];
  process?: string;
  unit?: string;
  systemctl?: string[];
  start?: string[];
  stop?: string[];
  log?: string;
  version?: string[];
};

/** Of the interpreters that run Glance; our own nodes have another one. */
const usualProcess = "^\\S*(python[0-9.]*|uwsgi\\S*)\\s.*\\bglance-(wsgi-)?api\\b";

export const glanceSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    release: { enum: releaseIds },
    config: {
      description: "a path, or a list of paths",
      anyOf: [text, { type: "array", items: text, minItems: 1 }],
    },
    process: { ...text, description: "a regular expression" },
    unit: {
      type: "string",
      pattern: "^[A-Za-z0-9:_.@\\\\-]+\\.service$",
      description: "a unit's name, ending in .service",
    },
    systemctl: words,
    start: words,
    stop: words,
    log: text,
    version: words,
  },
} as const;

/** `usual` is the fleet's, `own` the node's. Throws rollout.fleet_invalid without the file's name. */
export function readGlance(
  node: FleetNode,
  usual: GlanceText | undefined,
  own: GlanceText | undefined,
): GlanceAt | null {
  if (!usual && !own) return null;
  const { config, ...all } = { ...usual, ...own };
  const told = (what: string) => new ServiceError("rollout.fleet_invalid", `glance of ${node.name}: ${what}`);
  if (node.driver === "command")
    throw told("needs the driver local or ssh, by which its host's processes and files are seen");
  if (all.release === undefined) throw told("release is missing: which release of Glance it is");
  if ((all.unit === undefined) === (all.start === undefined))
    throw told("needs exactly one of: unit (systemd), start (a command)");
  if (node.driver === "ssh" && all.unit === node.unit)
    throw told(`unit is ${all.unit}, which is the unit of our node as well; each needs one of its own`);
  const configs = config === undefined ? [node.config] : typeof config === "string" ? [config] : config;
  const values = {
    node: node.name,
    address: node.address,
    config: configs[0] ?? "",
    port: node.address.replace(/^.*:/, ""),
  };
  const fill = (word: string) => filled(word, values, (value) => value);
  return {
    release: all.release,
    configs: configs.map(fill),
    process: pattern(all.process ?? usualProcess, values, told),
    unit: all.unit ?? null,
    systemctl: all.systemctl ?? ["systemctl"],
    start: (all.start ?? []).map(fill),
    stop: all.stop?.map(fill) ?? null,
    log: fill(all.log ?? "/dev/null"),
    version: (all.version ?? ["glance-api", "--version"]).map(fill),
  };
}

function pattern(text: string, values: Readonly<Record<string, string>>, told: (what: string) => ServiceError): RegExp {
  const escaped = filled(text, values, (value) => value.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  try {
    return new RegExp(escaped);
  } catch {
    throw told(`process is ${text}, which is no regular expression`);
  }
}

/** What stands for itself where its name is not known, such as a count of a regular expression. */
function filled(word: string, values: Readonly<Record<string, string>>, as: (value: string) => string): string {
  return word.replace(/\{(\w+)\}/g, (match, name: string) => {
    const value = values[name];
    return value === undefined ? match : as(value);
  });
}

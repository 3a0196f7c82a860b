// The shape of fleet.yaml as JSON Schema: what is allowed is said here, once; fleet.ts reads the file against it.
import { releaseIds } from "../releases/catalogue.ts";

const text = { type: "string", minLength: 1 } as const;
const address = {
  type: "string",
  pattern: "^([A-Za-z0-9._-]+|\\[[0-9a-fA-F:.]+\\]):[0-9]{1,5}$",
  description: "host:port",
} as const;
const seconds = (minimum: number, fallback: number) => ({
  type: "number",
  minimum,
  maximum: 2_592_000,
  default: fallback,
});

const node = {
  type: "object",
  additionalProperties: false,
  required: ["name", "driver", "address", "directory", "config"],
  properties: {
    name: { type: "string", pattern: "^[A-Za-z0-9._-]+$", description: "letters, digits, dot, dash and underscore" },
    driver: { enum: ["local"] },
    address,
    directory: text,
    config: text,
    command: { type: "array", items: text, minItems: 1 },
    packages: {
      type: "object",
      additionalProperties: false,
      properties: Object.fromEntries(releaseIds.map((id) => [id, text])),
    },
  },
} as const;

const haproxy = {
  type: "object",
  additionalProperties: false,
  required: ["driver", "socket", "backend"],
  properties: { driver: { const: "haproxy" }, socket: text, backend: text },
} as const;

const builtin = {
  type: "object",
  additionalProperties: false,
  required: ["driver", "listen", "admin"],
  properties: {
    driver: { const: "builtin" },
    listen: address,
    admin: text,
    check_ms: { type: "integer", minimum: 50, maximum: 60_000, default: 300 },
    fall: { type: "integer", minimum: 1, maximum: 20, default: 2 },
    rise: { type: "integer", minimum: 1, maximum: 20, default: 1 },
    hold_seconds: { type: "number", minimum: 0, maximum: 60, default: 2 },
  },
} as const;

export const fleetSchema = {
  type: "object",
  additionalProperties: false,
  required: ["name", "target", "journal", "database", "backup", "nodes", "balancer"],
  properties: {
    name: { type: "string", pattern: "^[A-Za-z0-9._-]+$", description: "letters, digits, dot, dash and underscore" },
    target: { enum: releaseIds },
    journal: text,
    database: {
      type: "object",
      additionalProperties: false,
      minProperties: 1,
      maxProperties: 1,
      properties: { config: text, connection: text },
    },
    backup: {
      type: "object",
      additionalProperties: false,
      required: ["directory"],
      properties: { directory: text, deadline_seconds: seconds(1, 86_400) },
    },
    nodes: { type: "array", minItems: 1, maxItems: 500, items: node },
    balancer: {
      type: "object",
      required: ["driver"],
      discriminator: { propertyName: "driver" },
      oneOf: [haproxy, builtin],
    },
    capacity: {
      type: "object",
      additionalProperties: false,
      properties: { serving_min: { type: "integer", minimum: 0, maximum: 500 } },
    },
    drain: {
      type: "object",
      additionalProperties: false,
      properties: {
        deadline_seconds: seconds(0, 3_600),
        policy: { enum: ["wait", "pause", "cut"], default: "wait" },
      },
    },
    start: {
      type: "object",
      additionalProperties: false,
      properties: { deadline_seconds: seconds(1, 60) },
    },
    gates: {
      type: "object",
      additionalProperties: false,
      properties: {
        synthetic: { type: "boolean", default: true },
        token: text,
        deadline_seconds: seconds(1, 60),
      },
    },
  },
} as const;

// The shape of fleet.yaml as JSON Schema: what is allowed is said here, once; fleet.ts reads the file against it.
import { releaseIds } from "../releases/catalogue.ts";
import { balancerSchemas } from "./balancers/balancer-schemas.ts";
import { strategies } from "./decide.ts";
import { glanceSchema } from "./nodes/glance-schema.ts";
import { nodeSchemas } from "./nodes/node-schemas.ts";
import { seconds, text, words } from "./schema-parts.ts";

const eventKinds = {
  type: "array",
  minItems: 1,
  items: { enum: ["decision", "action", "result", "observation"] },
  default: ["decision", "result"],
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
    nodes: {
      type: "array",
      minItems: 1,
      maxItems: 500,
      items: { type: "object", required: ["driver"], discriminator: { propertyName: "driver" }, oneOf: nodeSchemas },
    },
    balancer: {
      type: "object",
      required: ["driver"],
      discriminator: { propertyName: "driver" },
      oneOf: balancerSchemas,
    },
    glance: glanceSchema,
    strategy: { enum: strategies, default: "drain" },
    capacity: {
      type: "object",
      additionalProperties: false,
      properties: { serving_min: { type: "integer", minimum: 0, maximum: 500 } },
    },
    events: {
      type: "object",
      additionalProperties: false,
      properties: {
        webhook: {
          type: "object",
          additionalProperties: false,
          required: ["url"],
          properties: {
            url: { type: "string", pattern: "^https?://[^/]", description: "an http or https URL" },
            headers: { type: "object", additionalProperties: text, default: {} },
            kinds: eventKinds,
          },
        },
        hooks: {
          type: "array",
          maxItems: 20,
          default: [],
          items: {
            type: "object",
            additionalProperties: false,
            required: ["command"],
            properties: { command: words, kinds: eventKinds },
          },
        },
      },
    },
    metrics: {
      type: "object",
      additionalProperties: false,
      required: ["file"],
      properties: { file: text },
    },
    batches: {
      type: "array",
      minItems: 1,
      maxItems: 20,
      default: [1],
      items: {
        description: 'a number of nodes from 1 on, or a share of them from "1%" to "100%"',
        anyOf: [
          { type: "integer", minimum: 1, maximum: 500 },
          { type: "string", pattern: "^([1-9][0-9]?|100)%$" },
        ],
      },
    },
    health: {
      type: "object",
      additionalProperties: false,
      properties: { deadline_seconds: seconds(1, 60), min_seconds: seconds(0, 0) },
    },
    contract: {
      type: "object",
      additionalProperties: false,
      properties: { soak_seconds: seconds(0, 0) },
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
        canary: {
          type: "object",
          additionalProperties: false,
          properties: {
            window_seconds: seconds(1, 60),
            requests_min: { type: "integer", minimum: 1, maximum: 1_000_000, default: 100 },
            error_rate_max: { type: "number", minimum: 0, maximum: 1, default: 0.01 },
            p99_ratio_max: { type: "number", minimum: 1, maximum: 1_000, default: 2 },
            on_failure: { enum: ["pause", "rollback"], default: "pause" },
          },
        },
        token: text,
        deadline_seconds: seconds(1, 60),
      },
    },
  },
} as const;

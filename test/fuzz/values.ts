// Values for a schema of the API's description: mostly what it allows, at its edges, and now and then what it does not.
import fc from "fast-check";
import type { Description } from "../../src/api/openapi/testing/contract.ts";

export type Schema = Readonly<Record<string, unknown>>;

/** Kinds of things that earlier requests may have made; `@image:3@` in a generated text stands for one of them. */
export const kinds = ["image", "task", "namespace", "object", "property", "tag", "type", "member", "url"] as const;
export type Kind = (typeof kinds)[number];

export const known = (kind: Kind): fc.Arbitrary<string> => fc.nat({ max: 999 }).map((number) => `@${kind}:${number}@`);

/** Texts that parsers, databases and paths have stumbled over. */
const traps = [
  "",
  " ",
  "/",
  "..",
  "../../etc/passwd",
  "%2e%2e%2f",
  "%",
  "_",
  "'",
  "' or '1'='1",
  '"',
  "\\",
  "\0",
  "\ud800",
  "😀",
  "ǅ\u0301",
  "\u202e",
  "\ufeff",
  "a,b",
  "a:b",
  "in:",
  'in:"a,b",c',
  'in:"',
  "eq:",
  "neq:2026-01-01",
  "gte:2026-01-01T00:00:00Z",
  "9999-12-31T23:59:59Z",
  "null",
  "true",
  "True",
  "0",
  "-1",
  "1e309",
  "99999999999999999999",
  "2147483648",
  "__proto__",
  "constructor",
  "toString",
  "os_glance_import_task",
  "os_glance_stage_host",
  "stores",
  "is_public",
  "deleted",
  "a".repeat(80),
  "a".repeat(81),
  "é".repeat(255),
  "a".repeat(256),
  "x".repeat(5_000),
];

const uuids = fc.nat({ max: 400 }).map((number) => `0f0f0f0f-0000-4000-8000-${String(number).padStart(12, "0")}`);
export const anyText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...traps) },
  { weight: 2, arbitrary: fc.string({ unit: "grapheme", maxLength: 20 }) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
  { weight: 2, arbitrary: fc.string({ maxLength: 12 }) },
);
const plainText = fc.stringMatching(/^[a-z][a-z0-9_]{0,7}$/);
const numbers = fc.constantFrom(0, 1, 2, 10, -1, 255, 2 ** 31 - 1, 2 ** 31, 2 ** 53, -(2 ** 63), 1.5, 1e300);

/** What members of these names mean, which a schema does not say. */
const meant: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  id: fc.oneof({ weight: 3, arbitrary: uuids }, { weight: 2, arbitrary: known("image") }, anyText),
  kernel_id: fc.oneof(known("image"), anyText),
  owner: fc.oneof(fc.constantFrom("intruder", "guest", "keeper", null), anyText),
  member: fc.oneof({ weight: 4, arbitrary: known("member") }, anyText),
  url: fc.oneof({ weight: 5, arbitrary: known("url") }, anyText),
  uri: fc.oneof({ weight: 5, arbitrary: known("url") }, anyText),
  import_from: fc.oneof({ weight: 5, arbitrary: known("url") }, anyText),
  stores: fc.oneof(fc.subarray(["fast", "slow", "web", "none"]), fc.constant(null), fc.jsonValue()),
  disk_format: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom("raw", "qcow2", "iso") },
    fc.constantFrom(null, "none"),
  ),
  container_format: fc.oneof(
    { weight: 5, arbitrary: fc.constant("bare") },
    fc.constantFrom(null, "ova", "compressed", "x"),
  ),
  namespace: fc.oneof({ weight: 2, arbitrary: known("namespace") }, { weight: 2, arbitrary: plainText }, anyText),
  os_hash_value: fc.oneof(fc.constantFrom("0".repeat(128), "0".repeat(64), "zz"), anyText),
  image_properties: fc.constantFrom({ disk_format: "raw", container_format: "bare" }, { name: "t" }, {}, { id: 1 }),
  locations: fc.array(
    fc.record({
      url: fc.oneof({ weight: 4, arbitrary: known("url") }, anyText),
      metadata: fc.constantFrom({}, { store: "web" }, 1),
    }),
    { maxLength: 3 },
  ),
};

const junk = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(null, {}, [], "", 0, true, [[]], [null]));

/** `valid` of a hundred values are what the schema allows, at each level. */
export class Values {
  readonly #schemas: Description["components"]["schemas"];
  readonly #valid: number;

  constructor(description: Description, valid = 93) {
    this.#schemas = description.components.schemas;
    this.#valid = valid;
  }

  of(schema: Schema, name = "", depth = 0): fc.Arbitrary<unknown> {
    return fc.oneof(
      { weight: this.#valid, arbitrary: meant[name] ?? this.#good(schema, depth) },
      { weight: 100 - this.#valid, arbitrary: junk },
    );
  }

  resolved(schema: Schema): Schema {
    const { $ref } = schema;
    const found = typeof $ref === "string" ? this.#schemas[$ref.split("/").at(-1) ?? ""] : undefined;
    if (found) return this.resolved(found);
    const [first] = (schema.allOf ?? []) as readonly Schema[];
    return first ? this.resolved(first) : schema;
  }

  #good(given: Schema, depth: number): fc.Arbitrary<unknown> {
    const schema = this.resolved(given);
    if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum);
    const types = Array.isArray(schema.type) ? (schema.type as readonly string[]) : [String(schema.type ?? "any")];
    return fc.oneof(...types.map((type) => this.#ofType(type, schema, depth)));
  }

  #ofType(type: string, schema: Schema, depth: number): fc.Arbitrary<unknown> {
    switch (type) {
      case "string":
        return this.#text(schema);
      case "integer":
        return fc.oneof(fc.nat({ max: 40 }), numbers.filter(Number.isInteger));
      case "number":
        return fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), numbers);
      case "boolean":
        return fc.boolean();
      case "null":
        return fc.constant(null);
      case "array":
        return depth > 3
          ? fc.constant([])
          : fc.array(this.of((schema.items ?? {}) as Schema, "", depth + 1), { maxLength: 3 });
      case "object":
        return depth > 3 ? fc.constant({}) : this.#object(schema, depth);
      default:
        return fc.jsonValue({ maxDepth: 2 });
    }
  }

  #text({ maxLength }: Schema): fc.Arbitrary<string> {
    const edge =
      typeof maxLength === "number" ? [fc.constantFrom("b".repeat(maxLength), "c".repeat(maxLength + 1))] : [];
    return fc.oneof({ weight: 4, arbitrary: plainText }, { weight: 3, arbitrary: anyText }, ...edge);
  }

  /** A few of its members: with all of them hardly a body would be right. What only the service sets comes seldom. */
  #object(schema: Schema, depth: number): fc.Arbitrary<unknown> {
    const properties = Object.entries((schema.properties ?? {}) as Readonly<Record<string, Schema>>);
    const required = (schema.required ?? []) as readonly string[];
    const settable = properties.filter(([, one]) => one.readOnly !== true).map(([name]) => name);
    const all = properties.map(([name]) => name);
    const names = fc.oneof(
      { weight: 12, arbitrary: fc.subarray(settable, { maxLength: Math.min(5, settable.length) }) },
      { weight: 1, arbitrary: fc.subarray(all, { maxLength: Math.min(3, all.length) }) },
    );
    const needed = fc.oneof(
      { weight: 12, arbitrary: fc.constant(required) },
      { weight: 1, arbitrary: fc.constant([]) },
    );
    const own = fc.tuple(names, needed).chain(([some, more]) => {
      const members = [...new Set([...more, ...some])].map((name) => {
        const [, one = {}] = properties.find(([known]) => known === name) ?? [];
        return fc.tuple(fc.constant(name), this.of(one, name, depth + 1));
      });
      return fc.tuple(...members).map((entries) => Object.fromEntries(entries));
    });
    const { additionalProperties: more } = schema;
    if (more === false && properties.length > 0) return own;
    const extra = this.of(typeof more === "object" && more !== null ? (more as Schema) : {}, "", depth + 1);
    const others = fc.dictionary(fc.oneof({ weight: 3, arbitrary: plainText }, anyText), extra, { maxKeys: 2 });
    return fc.tuple(own, others).map(([one, other]) => ({ ...other, ...one }));
  }
}

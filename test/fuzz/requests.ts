// Requests made from the API's description: each call with its path, query, headers and body, and the ways of asking wrong that no description has.

import { gzipSync } from "node:zlib";
import fc from "fast-check";
import type { DescribedCall, DescribedParameter, Description } from "../../src/api/openapi/testing/contract.ts";
import { gpt, iso, luks, qcow2, vdi, vmdk } from "../../src/formats/testing/samples.ts";
import { callers } from "./projects.ts";
import { imageBytesMax } from "./service.ts";
import { anyText, type Kind, known, type Schema, Values } from "./values.ts";

/** A request with references to what there is when it is sent. */
export type Draft = {
  readonly node: number;
  readonly caller: number;
  readonly method: string;
  /** Of the description. */
  readonly path: string;
  readonly params: readonly string[];
  readonly query: readonly (readonly [string, string])[];
  readonly headers: readonly (readonly [string, string])[];
  /** Text is JSON with references; null: none. */
  readonly body: string | Buffer | null;
  readonly sending: "whole" | "chunked" | "cut";
};

const kindOfParam: Readonly<Record<string, Kind>> = {
  imageId: "image",
  memberId: "member",
  taskId: "task",
  namespace: "namespace",
  object: "object",
  property: "property",
  resourceType: "type",
  tag: "tag",
};

const seldom = <T>(arbitrary: fc.Arbitrary<T>, otherwise: T, weight = 6) =>
  fc.oneof({ weight, arbitrary: fc.constant(otherwise) }, { weight: 1, arbitrary });

function paramOf({ name }: DescribedParameter): fc.Arbitrary<string> {
  const kind = kindOfParam[name];
  const usual = kind ? known(kind) : fc.constantFrom("fast", "slow", "web", "file");
  return fc.oneof({ weight: 14, arbitrary: usual }, { weight: 1, arbitrary: anyText });
}

/** A few of the described parameters, now and then twice, and a custom property. */
function queryOf(values: Values, parameters: readonly DescribedParameter[]): fc.Arbitrary<Draft["query"]> {
  const described = parameters.map(({ name, schema }) => {
    const good = values
      .of(schema as Schema)
      .map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
    const special = name === "marker" ? [known("image"), known("namespace"), known("task"), known("tag")] : [];
    return fc.tuple(fc.constant(name), fc.oneof({ weight: 5, arbitrary: good }, anyText, ...special));
  });
  const others = [
    fc.tuple(fc.constantFrom("k", "size_min", "created_at_min", "locations", "changes-since", "members_max"), anyText),
    fc.tuple(anyText, anyText),
  ];
  return seldom(
    fc.array(fc.oneof(...described, ...described, ...others), { maxLength: 4 }),
    [],
    described.length > 0 ? 1 : 12,
  );
}

/** What a header may hold. */
const latin = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => (code === 0x7f ? " " : String.fromCharCode(code))),
  maxLength: 30,
});
const commonHeaders = fc.array(
  fc.oneof(
    fc.tuple(
      fc.constant("accept"),
      fc.oneof(fc.constantFrom("application/json", "text/html", "*/*", "", "text/plain;q=0"), latin),
    ),
    fc.tuple(
      fc.constant("x-openstack-request-id"),
      fc.oneof({ weight: 6, arbitrary: latin }, { weight: 1, arbitrary: fc.constant("r".repeat(70)) }),
    ),
    fc.tuple(
      fc.constantFrom("range", "content-range"),
      fc.oneof(fc.constantFrom("bytes=0-0", "bytes=-1", "bytes 5-6/*", "bytes=9-", "lines=1"), latin),
    ),
    fc.tuple(
      fc.constantFrom("x-image-meta-store", "accept-language", "if-none-match", "forwarded"),
      fc.oneof(fc.constant("slow"), latin),
    ),
    fc.tuple(fc.constant("x-image-meta-store"), fc.constantFrom("fast", "slow", "web", "none", "")),
  ),
  { maxLength: 2 },
);

const disks = [qcow2(3), vdi(), iso(), luks(), gpt(), vmdk(), gzipSync(qcow2(2))].filter(
  ({ length }) => length <= imageBytesMax,
);
const data = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 2, arbitrary: fc.constantFrom(...disks) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(Buffer.alloc(0), Buffer.alloc(imageBytesMax), Buffer.alloc(imageBytesMax + 1)),
  },
);

const brokenJson = fc.oneof(
  fc.constantFrom(
    "",
    "{",
    "[]",
    "{}",
    "null",
    "1",
    '"x"',
    '{"a":1,}',
    "[".repeat(2_000),
    '{"a":"\\ud800"}',
    "\ufeff{}",
    `"${"x".repeat(2 ** 20)}"`,
  ),
  fc.json(),
  latin,
);

const formats = { disk_format: "raw", container_format: "bare" };

/** Most new images are such that data can follow. */
function withFormats(body: unknown): unknown {
  return typeof body === "object" && body !== null && !Array.isArray(body) ? { ...formats, ...body } : body;
}

type Body = { readonly body: Draft["body"]; readonly type: string | null; readonly sending: Draft["sending"] };

function bodyOf(values: Values, image: Schema, call: DescribedCall): fc.Arbitrary<Body> {
  const contents = Object.entries(call.requestBody?.content ?? {});
  if (contents.length === 0)
    return seldom<Body>(
      brokenJson.map((body) => ({ body, type: null, sending: "whole" })),
      { body: null, type: null, sending: "whole" },
      20,
    );
  return fc.oneof(
    ...contents.map(([type, { schema = {} }]) => {
      const good: fc.Arbitrary<string | Buffer> =
        type === "application/octet-stream"
          ? data
          : jsonOf(values, image, type, schema).map((value) => JSON.stringify(value) ?? "");
      const sent = fc.oneof({ weight: 16, arbitrary: good }, { weight: 1, arbitrary: brokenJson });
      const types = seldom<string | null>(
        fc.constantFrom(null, "text/plain", "application/json", "application/octet-stream", "x"),
        type,
        14,
      );
      const sending = fc.oneof(
        { weight: 20, arbitrary: fc.constant("whole" as const) },
        { weight: 3, arbitrary: fc.constant("chunked" as const) },
        { weight: 1, arbitrary: fc.constant("cut" as const) },
      );
      return fc.record({ body: sent, type: types, sending });
    }),
  );
}

function jsonOf(values: Values, image: Schema, type: string, schema: Schema): fc.Arbitrary<unknown> {
  if (type.endsWith("json-patch")) return patchOf(values, image, type);
  const value = values.of(schema);
  const isImage = values.resolved(schema) === values.resolved(image);
  return isImage ? fc.oneof({ weight: 3, arbitrary: value.map(withFormats) }, { weight: 1, arbitrary: value }) : value;
}

/** Changes of members that images have, by pointers that fit them or nearly do. */
function patchOf(values: Values, image: Schema, type: string): fc.Arbitrary<unknown> {
  const properties = Object.entries(values.resolved(image).properties ?? {}) as [string, Schema][];
  const settable = properties.filter(([, schema]) => schema.readOnly !== true);
  const one = (from: readonly [string, Schema][]) =>
    fc.constantFrom(...from).chain(([name, schema]) => fc.tuple(fc.constant(`/${name}`), values.of(schema, name)));
  type Change = fc.Arbitrary<readonly [string, unknown]>;
  const change = fc.tuple(
    fc.constantFrom("add", "replace", "replace", "remove"),
    fc.oneof<{ weight: number; arbitrary: Change }[]>(
      { weight: 8, arbitrary: one(settable) },
      { weight: 1, arbitrary: one(properties) },
      {
        weight: 2,
        arbitrary: fc.tuple(fc.constantFrom("/k", "/l", "/k~1x", "/__proto__"), values.of({ type: "string" })),
      },
      {
        weight: 3,
        arbitrary: fc.tuple(
          fc.constantFrom("/locations/-", "/locations/0", "/locations/1", "/locations/x"),
          fc.record({ url: known("url"), metadata: fc.constantFrom({}, { store: "slow" }) }),
        ),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(
          fc.oneof(anyText, fc.constantFrom("/tags/0", "/tags/-", "", "name", "/a/b/c")),
          fc.jsonValue(),
        ),
      },
    ),
  );
  const entry = change.map(([op, [path, value]]) =>
    type.includes("v2.0") ? { [op]: path, value } : { op, path, value },
  );
  return fc.oneof(
    { weight: 14, arbitrary: fc.array(entry, { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.jsonValue() },
  );
}

/** Calls that make something are tried more often: the others need what they made. */
const weights: readonly (readonly [RegExp, number])[] = [
  [/^(post \/v2\/images$|put .*\/(file|stage)$|patch)/, 9],
  [/^post .*(import|locations|members|tasks)$/, 5],
  // All parts of a namespace, which others then would not find.
  [/^delete .*\/(objects|properties|tags)$/, 0.4],
  [/^(put|delete) .*\/(members|objects|properties)\/\{\w+\}$/, 3],
  [/^get \/v2\/images/, 3],
  [/^(post|put) \/v2\/metadefs/, 2],
  [/^delete \/v2\/(images|metadefs\/namespaces)\/\{\w+\}$/, 1],
  [/\/schemas\/|^get \/(metrics|healthcheck|openapi.json|versions)?$/, 0.1],
];

export function draftsFor(node: number, description: Description): fc.Arbitrary<Draft> {
  const values = new Values(description);
  const image = description.components.schemas.image ?? {};
  const calls = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, call]) => {
      const [, weight] = weights.find(([pattern]) => pattern.test(`${method} ${path}`)) ?? [/./, 1.5];
      return { weight: Math.round(weight * 10), arbitrary: draftOf({ node, method, path, call, values, image }) };
    }),
  );
  return fc.oneof(...calls);
}

type CallContext = {
  readonly node: number;
  readonly method: string;
  readonly path: string;
  readonly call: DescribedCall;
  readonly values: Values;
  readonly image: Schema;
};

function draftOf({ node, method, path, call, values, image }: CallContext): fc.Arbitrary<Draft> {
  const parameters = (place: string) => (call.parameters ?? []).filter((one) => one.in === place);
  const headers = parameters("header").map(({ name, schema }) =>
    fc.tuple(fc.constant(name.toLowerCase()), fc.oneof(values.of(schema as Schema).map(String), latin).map(headerText)),
  );
  const own: fc.Arbitrary<[string, string][]> =
    headers.length > 0 ? fc.array(fc.oneof(...headers), { maxLength: 2 }) : fc.constant([]);
  return fc
    .record({
      caller: fc.oneof(...callers.map(({ weight }, at) => ({ weight, arbitrary: fc.constant(at) }))),
      method: seldom(
        fc.constantFrom("GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "LOCK"),
        method.toUpperCase(),
        40,
      ),
      params: fc.tuple(...parameters("path").map(paramOf)),
      query: queryOf(values, parameters("query")),
      common: seldom(commonHeaders, []),
      own: seldom(own, []),
      sent: bodyOf(values, image, call),
    })
    .map(({ common, own: more, sent: { type, ...sent }, ...draft }) => ({
      node,
      path,
      ...draft,
      headers: [...common, ...more, ...(type === null ? [] : [["content-type", type] as const])],
      ...sent,
    }));
}

function headerText(text: string): string {
  return text.replace(/[^\x20-\xff]/g, "?").replaceAll("\x7f", "?");
}

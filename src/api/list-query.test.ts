// The query language of lists: every parameter and operator, and a 400 for what is none.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isServiceError } from "../core/errors.ts";
import type { ListImagesRequest } from "../images/services.ts";
import { type ReleaseId, releaseOf } from "../releases/catalogue.ts";
import { parseTime } from "./filter-values.ts";
import { pageLinks } from "./list-links.ts";
import { parseListQuery } from "./list-query.ts";
import { formatQuery, parseQuery } from "./query-string.ts";

const parse = (query: string, release: ReleaseId = "ocata"): ListImagesRequest =>
  parseListQuery(parseQuery(query), releaseOf(release).capabilities);
const refused = (query: string, release?: ReleaseId) =>
  assert.throws(
    () => parse(query, release),
    (error) => isServiceError(error, "images.bad_query"),
    query,
  );

test("list query: nothing asked for is the default page", () => {
  assert.deepEqual(parse(""), { filters: [], memberStatus: "accepted", sort: [], limit: null });
});

test("list query: os_hidden is a parameter since Rocky, in any case; before, a property of that name", () => {
  for (const release of ["rocky", "2026.1"] as const) {
    assert.equal(parse("", release).hidden, undefined);
    for (const [text, hidden] of [
      ["true", true],
      ["True", true],
      ["FALSE", false],
    ] as const)
      assert.deepEqual(parse(`os_hidden=${text}`, release), { ...parse("", release), hidden });
    for (const query of ["os_hidden=", "os_hidden=1", "os_hidden=yes", "os_hidden_min=1"]) refused(query, release);
  }
  for (const release of ["newton", "queens"] as const)
    assert.deepEqual(parse("os_hidden=True", release).filters, [
      { kind: "property", name: "os_hidden", value: "True" },
    ]);
});

test("list query: os_hash_value and os_hash_algo are columns since Rocky; before, properties", () => {
  for (const name of ["os_hash_value", "os_hash_algo"]) {
    const [column] = parse(`${name}=ab`, "rocky").filters;
    assert.deepEqual(column, { kind: "column", column: name, values: ["ab"] });
    const [property] = parse(`${name}=ab`, "queens").filters;
    assert.deepEqual(property, { kind: "property", name, value: "ab" });
  }
});

test("list query: visibility takes what the release knows: shared at all, community since Ocata, all since Stein", () => {
  for (const [release, known] of [
    ["newton", ["public", "private", "shared"]],
    ["ocata", ["public", "private", "shared", "community"]],
    ["rocky", ["public", "private", "shared", "community"]],
    ["stein", ["public", "private", "shared", "community", "all"]],
    ["2026.1", ["public", "private", "shared", "community", "all"]],
  ] as const) {
    for (const value of ["public", "private", "shared", "community", "all", "ALL", ""])
      if ((known as readonly string[]).includes(value))
        assert.equal(parse(`visibility=${value}`, release).visibility, value);
      else refused(`visibility=${value}`, release);
  }
});

test("list query: limit is a whole number from 0", () => {
  for (const [query, limit] of [
    ["limit=0", 0],
    ["limit=+3", 3],
    ["limit=%2B3", 3],
    ["limit=1&limit=2", 2],
    ["limit=99999999999999999999", Number.MAX_SAFE_INTEGER],
  ] as const)
    assert.equal(parse(query).limit, limit, query);
  for (const query of ["limit=-1", "limit=x", "limit=1.5", "limit=", "limit=1e3", "limit=0x10"]) refused(query);
});

test("list query: sort and sort_key with sort_dir say the same in two ways, and do not mix", () => {
  assert.deepEqual(parse("sort=name:asc,size").sort, [
    { key: "name", direction: "asc" },
    { key: "size", direction: "desc" },
  ]);
  const keys = parse("sort_key=name&sort_key=size&sort_dir=asc");
  assert.deepEqual(keys.sort, [
    { key: "name", direction: "asc" },
    { key: "size", direction: "asc" },
  ]);
  assert.equal(keys.tieDirection, "asc");
  const each = parse("sort_key=name&sort_key=size&sort_dir=asc&sort_dir=desc");
  assert.deepEqual(
    each.sort.map(({ direction }) => direction),
    ["asc", "desc"],
  );
  assert.equal(each.tieDirection, undefined);
  assert.equal(parse("sort_dir=asc").tieDirection, "asc");
  for (const query of [
    "sort=nope",
    "sort=",
    "sort=name,",
    "sort=name:up",
    "sort=name:asc:desc",
    "sort=name&sort_key=size",
    "sort=name&sort_dir=asc",
    "sort_key=nope",
    "sort_dir=up",
    "sort_dir=asc&sort_dir=desc",
    "sort_key=name&sort_dir=asc&sort_dir=desc",
  ])
    refused(query);
});

test("list query: name, id, status and formats take in: and eq:, and no other operator", () => {
  const values = (query: string) => {
    const [filter] = parse(query).filters;
    assert(filter?.kind === "column");
    return filter.values;
  };
  for (const [query, expected] of [
    ["name=a", ["a"]],
    ["name=", [""]],
    ["name=eq:a:b", ["a:b"]],
    ["name=in:a,b", ["a", "b"]],
    ['name=in:"a,b",c', ["a,b", "c"]],
    ['name=in:"a%5C"b"', ['a"b']],
    ["name=in:a,,b", ["a", "", "b"]],
    ['name="a"', ['"a"']],
    ["status=in:queued,active", ["queued", "active"]],
    ["disk_format=eq:raw", ["raw"]],
    ["owner=a:b", ["a:b"]],
  ] as const)
    assert.deepEqual(values(query), expected, query);
  for (const query of ["name=gt:a", "name=http://x", "name=:a", 'name=in:"a', 'name=in:a"b"', 'id=in:"a"b'])
    refused(query);
});

test("list query: times take six operators and the ISO 8601 forms clients use", () => {
  assert.deepEqual(parse("created_at=gte:2026-01-31T12:00:00Z").filters, [
    { kind: "time", column: "created_at", operator: "gte", value: "2026-01-31T12:00:00Z" },
  ]);
  for (const [text, expected] of [
    ["2026", "2026-01-01T00:00:00Z"],
    ["2026-02", "2026-02-01T00:00:00Z"],
    ["20260201", "2026-02-01T00:00:00Z"],
    ["2026-02-01", "2026-02-01T00:00:00Z"],
    ["2026-02-01T03:04", "2026-02-01T03:04:00Z"],
    ["20260201T030405Z", "2026-02-01T03:04:05Z"],
    ["2026-02-01 03:04:05.999", "2026-02-01T03:04:05Z"],
    ["2026-02-01T03:04:05+02:00", "2026-02-01T01:04:05Z"],
    ["2026-02-01T03:04:05-0130", "2026-02-01T04:34:05Z"],
    ["2024-02-29", "2024-02-29T00:00:00Z"],
    ["9999-12-31T23:59:59Z", "9999-12-31T23:59:58Z"],
  ] as const)
    assert.equal(parseTime(text), expected, text);
  for (const text of [
    "",
    "x",
    "2026-13-01",
    "2026-02-29",
    "2026-02-01T25:00:00Z",
    "0000-01-01",
    "0001-01-01T00:00:00+01",
  ])
    assert.equal(parseTime(text), null, text);
  for (const query of ["created_at=", "created_at=gt:", "updated_at=in:2026", "created_at=xx:2026-01-01T00:00:00Z"])
    refused(query);
});

test("list query: numbers have bounds, and only numbers", () => {
  assert.deepEqual(parse("size_min=5&min_ram_max=7&min_disk=0").filters, [
    { kind: "bound", column: "size", bound: "min", value: 5 },
    { kind: "bound", column: "min_ram", bound: "max", value: 7 },
    { kind: "column", column: "min_disk", values: [0] },
  ]);
  assert.deepEqual(parse("hw_ram_min=4").filters, [{ kind: "property", name: "hw_ram_min", value: "4" }]);
  for (const query of ["size_min=x", "size_max=1.5", "size=", "min_ram=in:1,2", "name_min=3", "created_at_max=3"])
    refused(query);
});

test("list query: visibility and member_status take the values of the release", () => {
  assert.equal(parse("visibility=community").visibility, "community");
  assert.equal(parse("member_status=all").memberStatus, "all");
  assert.throws(() => parseListQuery([["visibility", "community"]], releaseOf("newton").capabilities));
  for (const query of ["visibility=all", "visibility=", "member_status=nope", "member_status="]) refused(query);
});

test("list query: the rest is custom properties, and names that are no values are refused", () => {
  assert.deepEqual(parse("tag=a&tag=b&k=v&os_hidden=True&deleted=x").filters, [
    { kind: "tag", tag: "a" },
    { kind: "tag", tag: "b" },
    { kind: "property", name: "k", value: "v" },
    { kind: "property", name: "os_hidden", value: "True" },
  ]);
  assert.deepEqual(parse("protected=true").filters, [{ kind: "column", column: "protected", values: [true] }]);
  for (const query of ["locations=x", "members=x", "properties=x", "tags=x", "changes-since=2020", "protected=True"])
    refused(query);
  for (const query of ["k=\u{1f600}", "\u{1f600}=v", "tag=%F0%9F%98%80", "marker=\u{1f600}"]) refused(query);
  refused(Array.from({ length: 41 }, (_, at) => `k${at}=v`).join("&"));
});

test("links: first and next give the whole query back, repeated parameters too", () => {
  const pairs = parseQuery("tag=a&tag=b&sort_key=name&sort_key=size&marker=old&limit=2&name=in:x,%20y");
  const { first, next } = pageLinks("/v2/images", pairs, "m1");
  const kept = "tag=a&tag=b&sort_key=name&sort_key=size&limit=2&name=in%3Ax%2C+y";
  assert.equal(first, `/v2/images?${kept}`);
  assert.equal(next, `/v2/images?${kept}&marker=m1`);
  assert.deepEqual(pageLinks("/v2/images", [], null), { first: "/v2/images", next: null });
  assert.equal(pageLinks("/v2/images", [], "m1").next, "/v2/images?marker=m1");
});

test("query strings: what is written is read back the same", () => {
  const pair = fc.tuple(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }));
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 8 }), (pairs) => {
      assert.deepEqual(parseQuery(formatQuery(pairs)), pairs);
    }),
  );
});

test("list query: any text at all is understood or refused as a bad query", () => {
  const name = fc.constantFrom(
    "limit",
    "sort",
    "sort_key",
    "sort_dir",
    "name",
    "created_at",
    "size_min",
    "tag",
    "k",
    "",
  );
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom("in:", "eq:", '"', "asc", "desc", "name", "-1", "%", "+", "\u{1f600}"),
  );
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          name,
          fc.array(text).map((parts) => parts.join("")),
        ),
        { maxLength: 6 },
      ),
      (pairs) => {
        try {
          parse(pairs.map(([key, value]) => `${key}=${value}`).join("&"));
        } catch (error) {
          assert(isServiceError(error, "images.bad_query", "api.bad_request"), String(error));
        }
      },
    ),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isServiceError } from "../core/errors.ts";
import { parseContentRange, parseRange, resolveRange } from "./byte-range.ts";
import { withCode } from "./testing/fixture.ts";

const size = 1_000;

test("range: one range of bytes is cut at the image's end", () => {
  for (const [header, start, end] of [
    ["bytes=0-0", 0, 0],
    ["bytes=0-99", 0, 99],
    ["bytes=990-2000", 990, 999],
    ["bytes=990-", 990, 999],
    ["bytes=-10", 990, 999],
    ["bytes=-5000", 0, 999],
    ["bytes= 5-6 ", 5, 6],
    ["BYTES=5 - 6", 5, 6],
    ["bytes=5-99999999999999999999999", 5, 999],
  ] as const)
    assert.deepEqual(resolveRange(parseRange(header), size), { start, end }, header);
});

test("range: what holds no byte, or is no range of bytes, is not satisfiable", () => {
  for (const header of [
    "bytes=1000-",
    "bytes=99999999999999999999-",
    "bytes=5-4",
    "bytes=-0",
    "bytes=-",
    "bytes=",
    "",
    "lines=0-1",
    "bytes",
    "bytes=a-b",
    "bytes=1.5-2",
    "bytes=0x10-",
    "bytes=1-2-3",
    "bytes=--5",
  ])
    assert.throws(() => resolveRange(parseRange(header), size), withCode("api.range_not_satisfiable"), header);
  assert.throws(() => resolveRange(parseRange("bytes=0-"), 0), withCode("api.range_not_satisfiable"));
});

test("range: several ranges are a bad request", () => {
  assert.throws(() => parseRange("bytes=0-1,5-6"), withCode("api.bad_request"));
});

test("range: the old Content-Range form means the same bytes", () => {
  assert.deepEqual(resolveRange(parseContentRange("bytes 5-9/1000"), size), { start: 5, end: 9 });
  assert.deepEqual(resolveRange(parseContentRange("bytes=5-9/*"), size), { start: 5, end: 9 });
  for (const header of ["bytes -5/1000", "bytes 9-5/1000", "bytes */1000", "5-9"])
    assert.throws(() => parseContentRange(header), withCode("api.range_not_satisfiable"), header);
});

test("range: any header gives bytes that exist, or one of two errors", () => {
  const header = fc.oneof(
    fc.string(),
    fc.tuple(fc.option(fc.nat()), fc.option(fc.nat())).map(([a, b]) => `bytes=${a ?? ""}-${b ?? ""}`),
  );
  fc.assert(
    fc.property(header, fc.nat(), fc.func(fc.boolean()), (text, sizeBytes, old) => {
      try {
        const parse = old(text) ? parseContentRange : parseRange;
        const { start, end } = resolveRange(parse(text), sizeBytes);
        assert(0 <= start && start <= end && end < sizeBytes);
      } catch (error) {
        assert(isServiceError(error, "api.range_not_satisfiable", "api.bad_request"), String(error));
      }
    }),
  );
});

// Any bytes in any chunks: an inspection never throws, never holds more than its bound, and says the same however the data was cut.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { found, inspect } from "./testing/inspect.ts";
import { soundSamples, vhdFooter } from "./testing/samples.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

// Positions where headers stand, and everywhere else; values that headers are likely to fear.
const position = fc.oneof(
  fc.nat(600),
  fc.nat(5_000),
  fc
    .constantFrom(32_768, 65_536, 131_072, 196_608, 262_144, 2 ** 21, 2 ** 21 + 65_536)
    .chain((at) => fc.nat(300).map((by) => at + by)),
);
const value = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(1, 4, 8).map((length) => Buffer.alloc(length, 0xff)),
  fc.constantFrom(1, 4, 8).map((length) => Buffer.alloc(length)),
  fc
    .constantFrom("QFI\xfb", "KDMV", "CD001", "EFI PART", "\x55\xaa", "conectix", 'createType="', "\nRW 1 FLAT ", "\0")
    .map((text) => Buffer.from(text, "latin1")),
);
const spoilt = fc
  .record({
    name: fc.constantFrom(...Object.keys(soundSamples)),
    changes: fc.array(fc.tuple(position, value), { maxLength: 6 }),
    cut: fc.option(fc.nat(70_000)),
    footer: fc.boolean(),
  })
  .map(({ name, changes, cut, footer }) => {
    const bytes = Buffer.from(soundSamples[name]?.() ?? assert.fail(name));
    for (const [at, part] of changes) part.copy(bytes, Math.min(at, bytes.length));
    const rest = cut === null ? bytes : bytes.subarray(0, cut);
    return footer ? Buffer.concat([rest, vhdFooter(2)]) : rest;
  });
const anyBytes = fc.uint8Array({ maxLength: 5_000 }).map((bytes) => Buffer.from(bytes));
const sizes = fc.array(fc.oneof(fc.nat(16), fc.nat(1_024), fc.nat(70_000)), { minLength: 1, maxLength: 20 });

function check(bytes: Buffer, chunks: readonly number[]): void {
  const whole = inspect(bytes);
  const cut = inspect(bytes, chunks);
  assert.deepEqual(cut.reports, whole.reports);
  // A probe that failed would say so; that it is caught is for data nobody thought of.
  assert(!found(whole).some((name) => name.endsWith(".inspection")), found(whole).join());
}

test(`fuzz: spoilt headers in any chunks get one answer, within the bound (SEED=${seed})`, () => {
  // Small chunks of a large sample are many: what they begin with is enough of it.
  fc.assert(
    fc.property(spoilt, sizes, (bytes, chunks) =>
      check(bytes, Math.max(...chunks) < 2_000 ? [...chunks, 65_536] : chunks),
    ),
    { seed, numRuns: 1_000 },
  );
});

test(`fuzz: any bytes get one answer (SEED=${seed})`, () => {
  fc.assert(fc.property(anyBytes, sizes, check), { seed, numRuns: 500 });
});

test("chunks: every sound sample is the same byte by byte", () => {
  for (const make of Object.values(soundSamples)) {
    const bytes = make();
    // VHDX is two megabytes, for the sake of one table at their end.
    if (bytes.length < 100_000) check(bytes, [1]);
    else check(bytes, [1, 4_099]);
  }
});

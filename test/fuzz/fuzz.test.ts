// Every parameter of every call, of several releases on one database, from values of the API's own description. SEED repeats a run.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { fuzz } from "./run.ts";

const cases = Number(process.env.FUZZ_CASES ?? 10_000);
const seed = Number(process.env.SEED ?? randomInt(2 ** 31));

test(`fuzz: ${cases} requests get documented answers, tell nobody of another project, and leave every image right (SEED=${seed})`, async (context) => {
  const { sent, statuses, reached, described, mistakes } = await fuzz({ cases, seed, mistakesMax: 20 });
  context.diagnostic(
    `SEED=${seed}; answers: ${[...statuses]
      .sort()
      .map(([status, count]) => `${status}: ${count}`)
      .join(", ")}`,
  );
  // Bad input alone would never come past the first check.
  const missed = [...described].filter((call) => !reached.has(call));
  context.diagnostic(`never answered well: ${missed.join(", ") || "none"}`);
  assert.equal(mistakes.length, 0, `SEED=${seed}\n${mistakes.join("\n")}`);
  assert.equal(sent, cases);
});

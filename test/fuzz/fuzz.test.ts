// Every parameter of every call, of several releases on one database, from values of the API's own description. The requests are always the same
// here, so that a failure is one that can be looked for; SEED asks for others, and `npm run bench -- fuzz` for a million of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "./run.ts";

const cases = Number(process.env.FUZZ_CASES ?? 10_000);
const seed = Number(process.env.SEED ?? 20_261);

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
  assert(missed.length < described.size / 5, `too few calls came to an end: ${missed.join(", ")}`);
  assert.equal(mistakes.length, 0, `SEED=${seed}\n${mistakes.join("\n")}`);
  assert.equal(sent, cases);
});

// Claim: a million requests made from the API's own description, wrong ones among them, get documented answers, tell nobody of another
// project, and leave every image right. `npm test` sends ten thousand of them (test/fuzz). SEED repeats a run.
import { randomInt } from "node:crypto";
import type { Bench } from "./bench.ts";

export const fuzz: Bench = {
  name: "fuzz",
  summary: "requests made from the API's own description; SEED repeats them",
  async run({ scale, progress }) {
    // Not before it is wanted: what it makes requests of takes 100 MB, and other benchmarks would have their clients held up by its collection.
    const { fuzz: sendFuzz } = await import("../test/fuzz/run.ts");
    const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
    const cases = Math.round(1_000_000 * scale);
    progress(`SEED=${seed}`);
    const begun = performance.now();
    const { sent, mistakes } = await sendFuzz({
      cases,
      seed,
      mistakesMax: 50,
      progress: (done) => progress(`${done} of ${cases}`),
      tell: (mistake) => progress(`SEED=${seed}, ${mistake}`),
    });
    return [
      { what: "requests sent", value: sent, unit: "", bound: { atLeast: cases } },
      { what: "requests a second", value: (sent * 1_000) / (performance.now() - begun), unit: "requests/s" },
      { what: "mistakes", value: mistakes.length, unit: "", bound: { atMost: 0 } },
    ];
  },
};

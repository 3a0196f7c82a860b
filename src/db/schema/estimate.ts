// How long a step of a plan may take, as a range: what was measured on small and on large machines, idle and busy, times the rows it
// goes through. Waiting for other sessions' transactions comes on top, and is bounded by --lock-wait-seconds.
import type { Cost } from "./cost.ts";

export type Seconds = { readonly min: number; readonly max: number };

/** Rows a second, on a busy small machine and on an idle large one. */
const rates: Readonly<Record<Exclude<Cost, "instant"> | "rows", { readonly slow: number; readonly fast: number }>> = {
  rows: { slow: 5_000, fast: 40_000 },
  scan: { slow: 100_000, fast: 1_000_000 },
  index_build: { slow: 100_000, fast: 700_000 },
  switch: { slow: 5_000, fast: 30_000 },
  rebuild: { slow: 30_000, fast: 200_000 },
  locked_scan: { slow: 100_000, fast: 1_000_000 },
  copy: { slow: 10_000, fast: 100_000 },
};

/** `rows`: null where they cannot be known, and then neither can the time. */
export function estimate(cost: Cost | "rows", rows: number | null): Seconds | null {
  if (cost === "instant") return { min: 0, max: 1 };
  if (rows === null) return null;
  const { slow, fast } = rates[cost];
  return { min: Math.floor(rows / fast), max: Math.max(Math.ceil(rows / slow), 1) };
}

/** Steps whose time is not known are left out. */
export function total(parts: readonly (Seconds | null)[]): Seconds {
  const known = parts.filter((part) => part !== null);
  return {
    min: known.reduce((sum, part) => sum + part.min, 0),
    max: known.reduce((sum, part) => sum + part.max, 0),
  };
}

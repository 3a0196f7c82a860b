// What a benchmark is: one file per claim of the product's speed, measured as ratios within one run, on one machine, so that the
// figures mean the same on another one.

export type Figure = {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** What the product promises; absent for figures that are told only. */
  readonly bound?: { readonly atLeast: number } | { readonly atMost: number };
};

export type BenchContext = {
  /** How many images, where a claim does not fix it; smaller for a quick look. */
  readonly scale: number;
  /** Says what is being done, on stderr. */
  progress(text: string): void;
};

export type Bench = {
  readonly name: string;
  readonly summary: string;
  run(context: BenchContext): Promise<readonly Figure[]>;
};

export function keepsBound(figure: Figure): boolean {
  if (!figure.bound) return true;
  return "atLeast" in figure.bound ? figure.value >= figure.bound.atLeast : figure.value <= figure.bound.atMost;
}

/** NaN of none. */
export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

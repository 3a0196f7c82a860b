// Simulates one seed, and finds the faults that matter where a promise is broken.
import { type Fault, tellFault } from "./fault.ts";
import { operate, type RolloutEnd } from "./operator.ts";
import { drawScenario, type Scenario } from "./scenario.ts";
import { type Seams, Simulation } from "./simulation.ts";

export type Outcome = {
  readonly seed: number;
  readonly end: RolloutEnd | null;
  /** The promise that was broken, or null. */
  readonly broken: string | null;
  readonly faults: readonly Fault[];
  readonly pauses: readonly string[];
  readonly effects: number;
  readonly virtualMs: number;
};
export type SimulateOptions = {
  readonly seams?: Seams;
  /** In place of what the seed draws. */
  readonly change?: (scenario: Scenario) => Scenario;
  readonly tell?: (text: string) => void;
};

export async function simulate(seed: number, options: SimulateOptions = {}): Promise<Outcome> {
  const drawn = drawScenario(seed);
  const scenario = options.change?.(drawn) ?? drawn;
  const simulation = new Simulation(scenario, options.seams, options.tell);
  const outcome = (end: RolloutEnd | null, broken: string | null): Outcome => ({
    seed,
    end,
    broken,
    faults: scenario.faults,
    pauses: simulation.pauses,
    effects: simulation.effects,
    virtualMs: simulation.time.nowMs,
  });
  try {
    return outcome(await simulation.run(operate), null);
  } catch (error) {
    return outcome(null, error instanceof Error ? told(error) : String(error));
  }
}

/** A crash says where it was. */
function told(error: Error): string {
  return error.constructor.name === "Broken" ? error.message : (error.stack ?? error.message);
}

/** Leaves faults out, one after the other, as long as some promise stays broken. */
export async function shrink(outcome: Outcome, options: SimulateOptions = {}): Promise<Outcome> {
  let smallest = outcome;
  for (let index = 0; index < smallest.faults.length; ) {
    const faults = smallest.faults.filter((_, other) => other !== index);
    const change = (scenario: Scenario) => ({ ...(options.change?.(scenario) ?? scenario), faults });
    const without = await simulate(outcome.seed, { ...(options.seams && { seams: options.seams }), change });
    if (without.broken === null) index++;
    else smallest = without;
  }
  return smallest;
}

/** The seed's story: what was drawn, every entry and effect, and the broken promise. */
export async function traceOf(seed: number, options: SimulateOptions = {}): Promise<string> {
  const lines: string[] = [];
  const drawn = drawScenario(seed);
  const { faults, ...scenario } = options.change?.(drawn) ?? drawn;
  lines.push(`seed ${seed}: ${JSON.stringify({ ...scenario, unable: [...scenario.unable] })}`);
  lines.push(...faults.map((fault) => `will happen: ${tellFault(fault)}`));
  const { end, broken } = await simulate(seed, { ...options, tell: (text) => lines.push(text) });
  lines.push(broken === null ? `end: ${end}` : `BROKEN: ${broken}`);
  return lines.join("\n");
}

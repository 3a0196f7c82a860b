// `npm run simulate`: rollouts on simulated fleets, one for each seed, with everything going wrong; how many are looked at a minute, how
// they end, and for a promise that is broken its seed, its story and the faults that matter.
import { Command, InvalidArgumentError } from "commander";
import { tellFault } from "../src/rollout/testing/simulation/fault.ts";
import { type Outcome, shrink, simulate, traceOf } from "../src/rollout/testing/simulation/simulate.ts";

type Options = { seeds: number; from: number; seed?: number; trace?: true; json?: true };
type Counts = Record<string, number>;

const exitCodes = { ok: 0, broken: 1 } as const;
const toldEveryMs = 1_000;

const help = `
Exit codes: 0 every promise was kept, 1 one was broken (its seed, story and faults are told), 2 wrong arguments.

Examples:
  npm run simulate -- --seeds 10000
  npm run simulate -- --seeds 1000 --from 500000 --json
  npm run simulate -- --seed 384 --trace`;

const command = new Command("npm run simulate --")
  .description("Simulates rollouts with the real decisions, runner, journal and lease, in virtual time, from seeds.")
  .option("--seeds <number>", "how many seeds to look at", whole, 10_000)
  .option("--from <number>", "the first of them", whole, 1)
  .option("--seed <number>", "this one alone", whole)
  .option("--trace", "print the story of --seed, whatever its end")
  .option("--json", "print one JSON object on stdout")
  .addHelpText("after", help)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
command.parse();
process.exitCode = await main(command.opts<Options>());

async function main({ seeds, from, seed, trace, json }: Options): Promise<number> {
  if (trace) {
    if (seed === undefined) return command.error("--trace needs --seed");
    const outcome = await simulate(seed);
    process.stdout.write(`${await traceOf(seed)}\n`);
    return outcome.broken === null ? exitCodes.ok : exitCodes.broken;
  }
  const [first, count] = seed === undefined ? [from, seeds] : [seed, 1];
  const counts: { ends: Counts; pauses: Counts; effects: number } = { ends: {}, pauses: {}, effects: 0 };
  const beganMs = performance.now();
  let toldMs = beganMs;
  let broken: Outcome | undefined;
  let done = 0;
  while (done < count && !broken) {
    const outcome = await simulate(first + done++);
    if (outcome.broken !== null) broken = outcome;
    const end = outcome.end ?? "broken";
    counts.ends[end] = (counts.ends[end] ?? 0) + 1;
    for (const cause of outcome.pauses) counts.pauses[cause] = (counts.pauses[cause] ?? 0) + 1;
    counts.effects += outcome.effects;
    const nowMs = performance.now();
    if (nowMs - toldMs < toldEveryMs) continue;
    toldMs = nowMs;
    tellProgress(done, count, nowMs - beganMs);
  }
  const perMinute = Math.round((done / (performance.now() - beganMs)) * 60_000);
  if (process.stderr.isTTY) process.stderr.write("\n");
  const failure = broken && (await shrink(broken));
  if (json) {
    const told = failure && { seed: failure.seed, broken: failure.broken, faults: failure.faults };
    process.stdout.write(
      `${JSON.stringify({ seeds: done, from: first, perMinute, ...counts, failure: told ?? null })}\n`,
    );
  } else {
    const list = (of: Counts) => Object.entries(of).map(([name, number]) => `${number} ${name}`);
    process.stdout.write(`${done} rollouts from seed ${first}, ${perMinute} a minute, ${counts.effects} effects\n`);
    process.stdout.write(`ends: ${list(counts.ends).join(", ")}\n`);
    process.stdout.write(`pauses: ${list(counts.pauses).join(", ") || "none"}\n`);
    if (failure) await tellFailure(failure);
  }
  return failure ? exitCodes.broken : exitCodes.ok;
}

async function tellFailure(failure: Outcome): Promise<void> {
  const { seed, broken, faults } = failure;
  const story = await traceOf(seed, { change: (scenario) => ({ ...scenario, faults }) });
  process.stdout.write(`\n${story}\n\nseed ${seed}: ${broken}\nwith these faults alone:\n`);
  process.stdout.write(faults.length > 0 ? faults.map((fault) => `  ${tellFault(fault)}\n`).join("") : "  none\n");
  process.stdout.write(`the whole story: npm run simulate -- --seed ${seed} --trace\n`);
}

/** In place on a terminal; a log gets a line now and then. */
function tellProgress(done: number, count: number, ms: number): void {
  const perMinute = Math.round((done / ms) * 60_000);
  const leftSeconds = Math.ceil((((count - done) / done) * ms) / 1_000);
  const text = `${done} of ${count} seeds, ${perMinute} a minute, about ${leftSeconds} s left`;
  process.stderr.write(process.stderr.isTTY ? `\r${text}   ` : `${text}\n`);
}

function whole(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new InvalidArgumentError("a whole number, 0 or more.");
  return number;
}

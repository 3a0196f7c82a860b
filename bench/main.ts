// `npm run bench -- [NAME...]`: measures what the product promises about speed, as ratios within this run, and fails where a promise
// is not kept. Stall and rate figures depend on the machine less than one thinks, but run it on an idle one.
import { Command } from "commander";
import { againstReference } from "./against-reference.ts";
import { type Bench, type Figure, keepsBound } from "./bench.ts";
import { besideGlance } from "./beside-glance.ts";
import { consoleOpen } from "./console-open.ts";
import { consolePage } from "./console-page.ts";
import { expandContract } from "./expand-contract.ts";
import { fuzz } from "./fuzz.ts";
import { handOver } from "./hand-over.ts";
import { kills } from "./kills.ts";
import { listShow } from "./list-show.ts";
import { migrate } from "./migrate.ts";
import { pageCost } from "./page-cost.ts";
import { rolloutLatency } from "./rollout-latency.ts";
import { simulation } from "./simulate.ts";
import { transfer } from "./transfer.ts";
import { triggerCost } from "./triggers.ts";

const benches: readonly Bench[] = [
  againstReference,
  listShow,
  pageCost,
  transfer,
  migrate,
  triggerCost,
  expandContract,
  handOver,
  consoleOpen,
  besideGlance,
  consolePage,
  kills,
  rolloutLatency,
  simulation,
  // The last one: see what it loads.
  fuzz,
];

const command = new Command("npm run bench --")
  .argument("[names...]", `which to run, all when none is given: ${benches.map((bench) => bench.name).join(", ")}`)
  .option("--scale <fraction>", "of the images and bytes that the claims name; below 1 for a quick look", "1")
  .addHelpText(
    "after",
    "\nWith TMPDIR in memory (/dev/shm) the servers' files are there: what is left of a stall then is not the disk's.",
  )
  .option("--json", "print one JSON object on stdout", false)
  .action(main);
await command.parseAsync();

async function main(names: readonly string[], flags: { scale: string; json: boolean }): Promise<void> {
  const unknown = names.find((name) => !benches.some((bench) => bench.name === name));
  const scale = Number(flags.scale);
  if (unknown !== undefined || !(scale > 0 && scale <= 1)) {
    process.stderr.write(
      `bench: ${unknown === undefined ? "--scale is above 0 and at most 1" : `no such benchmark: ${unknown}`}\n`,
    );
    process.exitCode = 2;
    return;
  }
  const chosen = names.length === 0 ? benches : benches.filter((bench) => names.includes(bench.name));
  const results: Record<string, readonly Figure[]> = {};
  for (const bench of chosen) {
    const progress = (text: string) => void process.stderr.write(`${bench.name}: ${text}\n`);
    results[bench.name] = await bench.run({ scale, progress });
    if (!flags.json) process.stdout.write(table(bench, results[bench.name] ?? []));
  }
  if (flags.json) process.stdout.write(`${JSON.stringify(results)}\n`);
  if (!Object.values(results).flat().every(keepsBound)) process.exitCode = 1;
}

function table(bench: Bench, figures: readonly Figure[]): string {
  const lines = figures.map((figure) => {
    const { bound } = figure;
    const promise = bound === undefined ? "" : "atLeast" in bound ? `>= ${bound.atLeast}` : `<= ${bound.atMost}`;
    const mark = bound === undefined ? " " : keepsBound(figure) ? "✔" : "✖";
    const value = Number.isInteger(figure.value) ? String(figure.value) : figure.value.toFixed(2);
    return `  ${mark} ${figure.what.padEnd(70)}${value.padStart(10)} ${figure.unit.padEnd(12)} ${promise}`;
  });
  return `${bench.name}: ${bench.summary}\n${lines.join("\n")}\n\n`;
}

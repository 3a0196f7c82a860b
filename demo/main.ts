// `npm run demo`: three nodes move from Newton to Ocata, or from any release to any newer one, under live traffic, on this machine alone.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { type ReleaseId, releaseIds, releaseOf } from "../src/releases/catalogue.ts";
import { type Strategy, strategies } from "../src/rollout/decide.ts";
import { startConsole } from "./console-process.ts";
import { type DatabaseKind, databaseKinds } from "./database.ts";
import { type DemoState, initialState, runDemo } from "./demo.ts";
import type { RunningFleet } from "./fleet.ts";
import { type HostKind, hostKinds } from "./hosts.ts";
import { isSuccess, reportText, summarize } from "./report.ts";
import { startScreen } from "./screen.ts";

type Flags = {
  database: DatabaseKind;
  balancer: "builtin" | "haproxy";
  strategy: Strategy;
  hosts: HostKind;
  from: ReleaseId;
  to: ReleaseId;
  nodes: number;
  seed: number;
  keep: boolean;
  json: boolean;
  /** Absent: where a person watches. */
  console?: boolean;
};

const whole = (min: number, max: number) => (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new InvalidArgumentError(`a whole number from ${min} to ${max} is expected`);
  return value;
};

const command = new Command("npm run demo --")
  .description(
    "A fleet moves to a newer release under live traffic. Exit code 0: no request failed, no transfer was cut, no byte is wrong.",
  )
  .addOption(
    new Option("--database <kind>", "all but sqlite start a private server").choices(databaseKinds).default("sqlite"),
  )
  .addOption(
    new Option("--balancer <kind>", "what stands before the nodes").choices(["builtin", "haproxy"]).default("builtin"),
  )
  .addOption(
    new Option("--strategy <kind>", "nodes leave and return, or hand over to a new process in place")
      .choices(strategies)
      .default("drain"),
  )
  .addOption(
    new Option(
      "--hosts <kind>",
      "nodes are processes, or units of a systemd of the demo's own that is reached by ssh (root)",
    )
      .choices(hostKinds)
      .default("processes"),
  )
  .addOption(new Option("--from <release>", "what the fleet is at").choices(releaseIds).default("newton"))
  .addOption(new Option("--to <release>", "where it goes").choices(releaseIds).default("ocata"))
  .option("--nodes <n>", "nodes in the fleet, 2 to 9", whole(2, 9), 3)
  .option("--seed <n>", "what images and traffic follow from", whole(0, 2 ** 31), 1)
  .option("--keep", "leave the fleet's folder behind, and say where it is", false)
  .option("--console", "show it on a web page too, and print its address (default in a terminal)")
  .option("--no-console", "start no web page")
  .option("--json", "print one JSON object on stdout and nothing else", false)
  .addHelpText(
    "after",
    `
Examples:
  npm run demo
  npm run demo -- --strategy handover
  npm run demo -- --strategy handover --hosts systemd
  npm run demo -- --from newton --to 2026.1 --database mariadb --balancer haproxy`,
  )
  .action(main);
await command.parseAsync();

async function main(flags: Flags): Promise<void> {
  if (releaseOf(flags.to).order <= releaseOf(flags.from).order)
    command.error(`error: --to ${flags.to} is not newer than --from ${flags.from}: name a newer release`);
  const folder = await mkdtemp(join(tmpdir(), "perennial-demo-"));
  const state = initialState(flags);
  const screen = flags.json ? undefined : startScreen(state);
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupted.abort());
  try {
    const console = flags.console ?? (!flags.json && process.stderr.isTTY);
    const begin = (fleet: RunningFleet) => (console ? showConsole(fleet, state) : Promise.resolve());
    const outcome = await runDemo({ ...flags, folder, begin }, state, interrupted.signal);
    screen?.stop();
    const summary = summarize(outcome, flags);
    process.stdout.write(flags.json ? `${JSON.stringify(summary)}\n` : reportText(outcome, summary));
    if (flags.json && !isSuccess(outcome, summary)) process.stderr.write(reportText(outcome, summary));
    process.exitCode = isSuccess(outcome, summary) ? 0 : 1;
  } catch (error) {
    screen?.stop();
    process.stderr.write(`demo: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  } finally {
    if (flags.keep) process.stderr.write(`kept: ${folder}\n`);
    else await rm(folder, { recursive: true, force: true });
  }
  // Traffic that was interrupted may still wait for answers that will not come.
  process.exit();
}

/** Building the page takes nothing from traffic that has not begun. The console ends with the fleet. */
async function showConsole(fleet: RunningFleet, state: DemoState): Promise<void> {
  state.activity = "starting the console";
  try {
    state.console = (await startConsole(fleet.file, { cwd: fleet.folder })).address;
  } catch (error) {
    // It is there to be looked at; the demo does without.
    state.console = `none (${error instanceof Error ? error.message : error})`;
  }
}

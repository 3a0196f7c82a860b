// The command glance-rollout: moves a fleet from one release to the next while it serves. The commands stand in commands/rollout-*.ts.
import { Command, CommanderError } from "commander";
import { packageVersion } from "../core/package-version.ts";
import { addBalancerCommand } from "./commands/rollout-balancer.ts";
import { addConsoleCommand } from "./commands/rollout-console.ts";
import { failCommand } from "./commands/rollout-error.ts";
import { addHistoryCommands } from "./commands/rollout-history.ts";
import { addPlanCommand } from "./commands/rollout-plan.ts";
import { addRequestCommands } from "./commands/rollout-request.ts";
import { addRollbackCommand } from "./commands/rollout-rollback.ts";
import { addRunCommand } from "./commands/rollout-run.ts";
import { addStatusCommand } from "./commands/rollout-status.ts";
import { addTakeoverCommands } from "./commands/rollout-takeover.ts";
import { endProcess } from "./end-process.ts";
import { type ExitCode, exitCodes } from "./exit-codes.ts";

const exitCodeHelp = `
Exit codes:
  0   done, also when there was nothing to do
  1   failed; the line on standard error says why
  2   unknown command or option
  6   another rollout, or another run of the schema engine, is under way
  7   paused: it stands where it is and waits for a person; run it again to go on
  8   the fleet is not as it was when the plan was stored; plan again
  9   given up by glance-rollout abort
  10  the new nodes did worse than the old ones, and the fleet was taken back
  69  the database cannot be reached
  71  an address or socket is taken
  78  the fleet file or a configuration file is wrong`;

const program = new Command("glance-rollout")
  .description("Upgrades a fleet of image service nodes, and the database under them, while they serve.")
  .version(`glance-rollout (perennial) ${packageVersion()}`)
  .exitOverride()
  .showHelpAfterError("(glance-rollout --help tells what there is)")
  .addHelpText("after", exitCodeHelp);

async function run(work: () => Promise<ExitCode>): Promise<void> {
  try {
    process.exitCode = await work();
  } catch (error) {
    process.exitCode = failCommand(error);
  }
}

for (const add of [
  addPlanCommand,
  addRunCommand,
  addRollbackCommand,
  addStatusCommand,
  addRequestCommands,
  addHistoryCommands,
  addConsoleCommand,
  addTakeoverCommands,
  addBalancerCommand,
])
  add(program, run);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Commander has printed help or the mistake; help that was asked for is no mistake.
  process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
}
// A call that was given up after its deadline may still hold the process; everything that matters is on disk.
await endProcess();

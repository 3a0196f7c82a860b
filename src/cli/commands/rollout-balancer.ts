// `glance-rollout balancer`: runs the embedded balancer of a fleet, as a process of its own, until it is told to stop.
import type { Command } from "commander";
import { ServiceError } from "../../core/errors.ts";
import { createLogger } from "../../core/logger.ts";
import { balancerSettings } from "../../rollout/balancers/builtin/balancer-settings.ts";
import { loadFleet } from "../../rollout/fleet.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";

export function addBalancerCommand(program: Command, run: (work: () => Promise<ExitCode>) => Promise<void>): void {
  program
    .command("balancer")
    .summary("run the embedded balancer of the fleet, until SIGTERM")
    .description(
      "Runs the embedded HTTP balancer that the fleet file's `balancer: {driver: builtin}` describes. SIGTERM or SIGINT stops it when the requests under way are finished, a second one at once.",
    )
    .requiredOption("--fleet <file>", "the fleet file")
    .addHelpText("after", "\nExample:\n  glance-rollout balancer --fleet /etc/glance/fleet.yaml")
    .action((options: { fleet: string }) => run(() => runBalancer(options.fleet)));
}

async function runBalancer(file: string): Promise<ExitCode> {
  const settings = balancerSettings(loadFleet(file));
  if (!settings) {
    const message = `${file}: balancer.driver is not builtin, so there is no embedded balancer to run`;
    throw new ServiceError("rollout.fleet_invalid", message, { facts: { file } });
  }
  const logger = createLogger({ level: "info", name: "glance-rollout-balancer" });
  // Only this command needs what it is made of.
  const { startBalancer } = await import("../../rollout/balancers/builtin/balancer-server.ts");
  const balancer = await startBalancer(settings, logger);
  await new Promise<void>((resolve, reject) => {
    let told = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (told) {
        logger.warn({ signal, sessions: balancer.sessions() }, "told to stop again: requests under way are cut");
        process.exit(exitCodes.ok);
      }
      told = true;
      logger.info({ signal, sessions: balancer.sessions() }, "stopping");
      balancer.stop().then(resolve, reject);
    };
    process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  });
  return exitCodes.ok;
}

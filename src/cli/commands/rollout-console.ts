// `glance-rollout console`: a web page that shows the fleet and its rollout as they are, and past rollouts as they were.
import type { Command } from "commander";
import { LiveDesk } from "../../console/live-desk.ts";
import { systemClock } from "../../core/clock.ts";
import { loadFleet } from "../../rollout/fleet.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { type Listen, listenOption, serveConsole } from "./console-serve.ts";
import { watchFleet } from "./console-watch.ts";
import { checkNodeConfigs, databaseOf } from "./rollout-parts.ts";

type Options = { fleet: string; listen: Listen; json?: true };

const help = `
Whoever reaches the address may look. From another host: ssh -L 9293:127.0.0.1:9293 HOST, then open http://127.0.0.1:9293.

Examples:
  glance-rollout console --fleet /etc/glance/fleet.yaml
  glance-rollout console --fleet /etc/glance/fleet.yaml --listen 127.0.0.1:0 --json`;

export function addConsoleCommand(program: Command, run: (work: () => Promise<ExitCode>) => Promise<void>): void {
  program
    .command("console")
    .summary("show the rollout on a web page")
    .description(
      "Serves a web page that shows the newest rollout to the fleet file's target as it goes on, from any host that reaches nodes, balancer and database: phases, nodes, traffic, migration, gates and the journal; and past rollouts, replayed. Changes nothing. Ends with Ctrl-C.",
    )
    .requiredOption("--fleet <file>", "the fleet file")
    .addOption(listenOption())
    .option("--json", "print the address as one JSON object")
    .addHelpText("after", help)
    .action((options: Options) => run(() => runConsole(options)));
}

async function runConsole(options: Options): Promise<ExitCode> {
  const fleet = loadFleet(options.fleet);
  checkNodeConfigs(fleet);
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => stop.abort());
  const database = databaseOf(fleet);
  const desk = new LiveDesk({ fleet, control: false, clock: systemClock });
  try {
    const served = await serveConsole({ fleet, database, desk, at: options.listen });
    try {
      process.stdout.write(
        options.json ? `${JSON.stringify({ address: served.address })}\n` : `The console is at ${served.address}\n`,
      );
      await watchFleet(fleet, database, desk, stop.signal);
    } finally {
      await served.close();
    }
  } finally {
    desk.close();
    await database.close();
  }
  return exitCodes.ok;
}

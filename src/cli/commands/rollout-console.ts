// `glance-rollout console`: a web page that shows the fleet and its rollout as they are, and past rollouts as they were.
import type { Command } from "commander";
import { loadFleet } from "../../rollout/fleet.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { type ControlFlags, type Listen, listenOption, openConsole } from "./console-serve.ts";
import { checkNodeConfigs } from "./rollout-parts.ts";

type Options = ControlFlags & { fleet: string; listen: Listen; json?: true };

const help = `
Whoever reaches the address may look. From another host: ssh -L 9293:127.0.0.1:9293 HOST, then open http://127.0.0.1:9293.

Examples:
  glance-rollout console --fleet /etc/glance/fleet.yaml
  glance-rollout console --fleet /etc/glance/fleet.yaml --listen 127.0.0.1:0 --json
  (umask 077; openssl rand -hex 24 > token)
  glance-rollout console --fleet /etc/glance/fleet.yaml --allow-control --token-file token`;

export function addConsoleCommand(program: Command, run: (work: () => Promise<ExitCode>) => Promise<void>): void {
  program
    .command("console")
    .summary("show the rollout on a web page")
    .description(
      "Serves a web page that shows the newest rollout to the fleet file's target as it goes on, from any host that reaches nodes, balancer and database: phases, nodes, traffic, migration, gates and the journal; and past rollouts, replayed. Changes nothing, unless --allow-control is given and somebody with the token orders it. Ends with Ctrl-C.",
    )
    .requiredOption("--fleet <file>", "the fleet file")
    .addOption(listenOption())
    .option("--allow-control", "take orders from whoever has the token")
    .option("--token-file <file>", "the token, in a file that only you may read")
    .option("--json", "print the address as one JSON object")
    .addHelpText("after", help)
    .action((options: Options) => run(() => runConsole(options)));
}

async function runConsole(options: Options): Promise<ExitCode> {
  const fleet = loadFleet(options.fleet);
  checkNodeConfigs(fleet);
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => stop.abort());
  const opened = await openConsole(fleet, options);
  process.stdout.write(
    options.json ? `${JSON.stringify({ address: opened.address })}\n` : `The console is at ${opened.address}\n`,
  );
  stop.signal.addEventListener("abort", () => void opened.close(), { once: true });
  await opened.ended;
  return exitCodes.ok;
}

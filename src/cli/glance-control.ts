// The command `glance-control`: starts, stops and reloads a node or a scrubber where no service manager does, by their pid files.
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { errorText, isServiceError } from "../core/errors.ts";
import { packageVersion } from "../core/package-version.ts";
import { reload, type ServerStatus, statusOf, stop, stopMsMax } from "./control-acts.ts";
import { type StartOptions, start } from "./control-start.ts";
import { ControlledServer, Refused, type ServerName, serverNames } from "./controlled-server.ts";
import { endProcess } from "./end-process.ts";
import { exitCodeOf } from "./exit-code-of.ts";
import { exitCodes } from "./exit-codes.ts";

const name = "glance-control";
const shortNames: Readonly<Record<string, readonly ServerName[]>> = {
  all: serverNames,
  api: ["glance-api"],
  scrubber: ["glance-scrubber"],
};
const commands = ["start", "status", "stop", "shutdown", "restart", "reload", "force-reload"] as const;
type CommandName = (typeof commands)[number];

const helpAfter = `
Commands:
  start         start it in the background; one that runs already is left alone
  status        say whether it runs, and as which process
  stop          have it finish what it has and end; after ${stopMsMax / 1_000} s this command no longer waits, and it still finishes
  shutdown      the same, and wait until it has ended, however long transfers take
  restart       shutdown, then start; without a gap: kill -USR2 (hand-over), see docs/node.md
  reload        have a node read its configuration again, without a break in service; force-reload is the same

Examples:
  ${name} api start /etc/glance/glance-api.conf
  ${name} --await-child 10 api start
  ${name} api stop --pid-file /run/glance/glance-api.pid
  ${name} all status --json

Exit codes:
  0 done, or there was nothing to do   1 failed, or refused; status: one of them does not run   2 wrong command line
  78 the configuration is wrong   start with --await-child or --respawn: the server's own, where it ended
`;

type Options = {
  readonly pidFile?: string;
  readonly awaitChild: number;
  readonly captureOutput?: true;
  readonly respawn?: true;
  readonly json?: true;
};
type Call = { readonly servers: readonly ControlledServer[]; readonly command: CommandName; readonly options: Options };

const say = (line: string) => void process.stdout.write(`${line}\n`);

async function main(argv: readonly string[]): Promise<number> {
  const program = new Command(name)
    .description("Starts and stops a node (api) or a scrubber where no service manager does.")
    .version(`${name} (perennial) ${packageVersion()}`)
    .addArgument(new Argument("<server>", "which one").choices([...Object.keys(shortNames), ...serverNames]))
    .addArgument(new Argument("<command>", "what to do with it").choices(commands))
    .argument("[confpath]", "configuration file; else they are found as glance-api finds them")
    .option("--pid-file <path>", "pid file; default: [perennial] pid_file of the node, or /run/glance/SERVER.pid")
    .addOption(
      new Option("--await-child <seconds>", "start: wait so long for it to end, and pass its exit code on")
        .argParser(seconds)
        .default(0),
    )
    .option("--capture-output", "start: put what it prints into syslog, by the program logger")
    .option("--respawn", "start: stay, and start it again when it dies unasked")
    .option("--json", "status: print one JSON array")
    .addHelpText("after", helpAfter)
    .allowExcessArguments(false)
    .exitOverride();
  try {
    program.parse(argv, { from: "user" });
    const [server = "", command, configFile] = program.args;
    const options = program.opts<Options>();
    const names = shortNames[server] ?? serverNames.filter((one) => one === server);
    const wrong = contradiction(options, names);
    if (wrong !== undefined) program.error(`error: ${wrong}`);
    const servers = names.map((one) => new ControlledServer(one, { pidFile: options.pidFile, configFile }));
    return await execute({ servers, command: command as CommandName, options });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (!isServiceError(error) && !(error instanceof Refused)) throw error;
    process.stderr.write(`${name}: ${errorText(error).replaceAll("\n", " ")}\n`);
    return error instanceof Refused && typeof error.cause === "number" ? error.cause : exitCodeOf(error);
  }
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 86_400) return value;
  throw new InvalidArgumentError("It is a number of seconds, up to 86400.");
}

function contradiction(options: Options, names: readonly ServerName[]): string | undefined {
  if (options.respawn && options.awaitChild > 0)
    return "--await-child and --respawn exclude each other: --respawn stays with the server anyway";
  if (options.pidFile !== undefined && names.length > 1) return "--pid-file is one server's: name it instead of all";
  return undefined;
}

async function execute({ servers, command, options }: Call): Promise<number> {
  const starting: StartOptions = {
    captureOutput: options.captureOutput ?? false,
    awaitSeconds: options.awaitChild,
    respawn: options.respawn ?? false,
  };
  switch (command) {
    case "start":
      return startAll(servers, starting);
    case "stop":
    case "shutdown":
      await stopAll(servers, command === "stop" ? stopMsMax : Number.POSITIVE_INFINITY);
      return exitCodes.ok;
    case "restart":
      await stopAll(servers, Number.POSITIVE_INFINITY);
      return startAll(servers, starting);
    case "reload":
    case "force-reload":
      return reloadAll(servers);
    case "status":
      return showStatus(servers.map(statusOf), options.json ?? false);
  }
}

/** All at once: with --respawn each is stayed with. */
async function startAll(servers: readonly ControlledServer[], options: StartOptions): Promise<number> {
  const codes = await Promise.all(servers.map((server) => start(server, options, say)));
  return codes.find((code) => code !== exitCodes.ok) ?? exitCodes.ok;
}

async function stopAll(servers: readonly ControlledServer[], msMax: number): Promise<void> {
  await Promise.all(servers.map((server) => stop(server, msMax, say)));
}

/** A scrubber reads its configuration when it is started. */
function reloadAll(servers: readonly ControlledServer[]): number {
  const nodes = servers.filter((server) => server.name === "glance-api");
  if (nodes.length === 0) throw new Refused("glance-scrubber cannot be reloaded; use restart");
  for (const server of nodes) reload(server, say);
  return exitCodes.ok;
}

function showStatus(statuses: readonly ServerStatus[], json: boolean): number {
  if (json) say(JSON.stringify(statuses));
  else
    for (const { server, state, pid } of statuses)
      say(pid === null ? `${server} is stopped` : `${server} (pid ${pid}) is ${state}...`);
  return statuses.every(({ state }) => state === "running") ? exitCodes.ok : exitCodes.failed;
}

await endProcess(await main(process.argv.slice(2)));

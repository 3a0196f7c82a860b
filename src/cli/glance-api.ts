// The command `glance-api`: reads the command line and runs a node, or shows the configuration that it would run with.

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, CommanderError } from "commander";
import { type Config, loadConfig } from "../core/config.ts";
import { findConfigFiles } from "../core/config-files.ts";
import { errorText } from "../core/errors.ts";
import { ownModule } from "../core/package-files.ts";
import { packageVersion } from "../core/package-version.ts";
import { logOptions } from "../node/config.ts";
import { supervise } from "../node/supervisor.ts";
import { checkConfig } from "./check-config.ts";
import { endProcess } from "./end-process.ts";
import { exitCodeOf } from "./exit-code-of.ts";
import { type ExitCode, exitCodes } from "./exit-codes.ts";
import { configuration } from "./wire-options.ts";
import { openSupervisorParts } from "./wire-supervisor.ts";

const helpAfter = `
Without --config-file and --config-dir the first of each of glance.conf and glance-api.conf in ~/.glance, ~, /etc/glance
and /etc is read, and the folders glance.conf.d and glance-api.conf.d beside them.

Examples:
  glance-api
  glance-api --config-file /etc/glance/glance-api.conf
  glance-api --config-file /etc/glance/glance-api.conf --show-config

Signals (to the first process, whose id stands in [perennial] pid_file):
  TERM, INT   leave without dropping a request: the health check fails, connections are taken for drain_settle_seconds more,
              then transfers are finished, however long they take (or drain_deadline_seconds); a second one: at once
  QUIT        leave at once; images whose upload is cut are queued again
  HUP         read the configuration again and go on with it, without a break in service; a wrong one changes nothing
  USR1        open the log file again (after logrotate)
  USR2        let a new process take over: it serves as soon as it is ready, this one finishes its transfers and ends; where it
              does not become ready nothing changes, and the log says why

Exit codes:
  0 left in good order   1 failed, or left with requests cut   2 wrong command line   64 must not start: the database or the
  registry says why   69 the database cannot be used   71 the address cannot be listened on   78 the configuration is wrong
`;

type Options = { configFile: string[]; configDir: string[]; pidFile?: string; showConfig?: true };

async function main(argv: readonly string[]): Promise<ExitCode> {
  const options = parse(argv);
  if (typeof options === "number") return options;
  let debug = false;
  try {
    const readConfig = () => {
      const files = findConfigFiles("glance-api", options.configFile, options.configDir);
      const config = loadConfig({ files, ...configuration });
      debug = config.read(logOptions).debug;
      checkConfig(config);
      return config;
    };
    if (options.showConfig) return showConfig(readConfig());
    const outcome = await supervise({
      readConfig,
      openParts: openSupervisorParts,
      workerModule: fileURLToPath(ownModule("cli/glance-api-worker")),
      packageVersion: packageVersion(),
      ...(options.pidFile !== undefined && { pidFile: resolve(options.pidFile) }),
    });
    return outcome === "cut" ? exitCodes.failed : exitCodes.ok;
  } catch (error) {
    process.stderr.write(`glance-api: ${errorText(error)}\n`);
    if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    return exitCodeOf(error);
  }
}

/** The options, or the exit code where there is nothing left to do. */
function parse(argv: readonly string[]): Options | ExitCode {
  const collect = (value: string, previous: readonly string[]) => [...previous, value];
  const command = new Command("glance-api")
    .description("Runs a node of the image service (Images API v2).")
    .version(`glance-api (perennial) ${packageVersion()}`)
    .option("--config-file <path>", "configuration file; may be repeated, later ones win", collect, [])
    .option("--config-dir <path>", "folder of *.conf files, read after the files", collect, [])
    .option("--pid-file <path>", "file for the process id, in place of [perennial] pid_file")
    .option("--show-config", "print every option with its value and where it comes from, and end")
    .allowExcessArguments(false)
    .addHelpText("after", helpAfter)
    .exitOverride();
  try {
    return command.parse(argv, { from: "user" }).opts<Options>();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
}

function showConfig(config: Config): ExitCode {
  const sections = Map.groupBy(config.effective, (option) => option.section);
  for (const [section, options] of sections) {
    process.stdout.write(`[${section}]\n`);
    for (const { option, text, origin } of options) process.stdout.write(`${option} = ${text}  # ${origin}\n`);
  }
  for (const unknown of config.unknown) process.stdout.write(`# not known here: ${unknown}\n`);
  return exitCodes.ok;
}

await endProcess(await main(process.argv.slice(2)));

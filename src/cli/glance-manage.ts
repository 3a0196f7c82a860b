// The command `glance-manage`: reads the command line in both of its spellings (`db NAME`, and `db_NAME` with positional
// arguments), opens the database of glance-api.conf, runs one subcommand, and turns failures into one line and an exit code.
import assert from "node:assert/strict";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { loadConfig } from "../core/config.ts";
import { findConfigFiles } from "../core/config-files.ts";
import { errorText, isServiceError, ServiceError } from "../core/errors.ts";
import { createLogger } from "../core/logger.ts";
import { openDatabase, readDatabaseConfig } from "../db/connect.ts";
import type { EngineOptions } from "../db/schema/engine-run.ts";
import { logOptions, nodeOptions } from "../node/config.ts";
import { isReleaseId, type Release, releaseIds, releaseOf } from "../releases/catalogue.ts";
import { dbCheck } from "./commands/db-check.ts";
import { dbContract } from "./commands/db-contract.ts";
import { dbExpand } from "./commands/db-expand.ts";
import { dbMigrate } from "./commands/db-migrate.ts";
import { dbRevert } from "./commands/db-revert.ts";
import { dbSync, dbUpgrade } from "./commands/db-sync.ts";
import { dbVerify } from "./commands/db-verify.ts";
import { dbVersion } from "./commands/db-version.ts";
import { dbVersionControl } from "./commands/db-version-control.ts";
import { manageExitCodeOf } from "./exit-code-of.ts";
import { type ExitCode, exitCodes } from "./exit-codes.ts";
import type { ManageCommand } from "./manage-command.ts";
import { ManageOutput } from "./manage-output.ts";
import { packageVersion } from "./package-version.ts";
import { allOptionGroups } from "./wire-options.ts";

const commands: readonly ManageCommand[] = [
  dbCheck,
  dbContract,
  dbExpand,
  dbMigrate,
  dbRevert,
  dbSync,
  dbUpgrade,
  dbVerify,
  dbVersion,
  dbVersionControl,
];

const helpAfter = `
The order of an upgrade under traffic: db expand, db migrate, then the nodes one by one, db contract. glance-rollout does all of it.
--config-file and --config-dir stand before the command. Without them the first of each of glance.conf, glance-api.conf and
glance-manage.conf in ~/.glance, ~, /etc/glance and /etc is read, and the folders glance-api.conf.d and the like beside them.
Every command also exists as db_NAME with its arguments by position, such as: glance-manage db_sync

Examples:
  glance-manage --config-file /etc/glance/glance-api.conf db check
  glance-manage db expand --to ocata --json

Exit codes:
  0 done, or nothing to do   1 failed or refused; the line on standard error says why and what is next   2 wrong command line
  3, 4, 5 db check: db expand, db migrate, db contract is due   6 another run holds the lock
  69 the database cannot be used   78 the configuration is wrong
`;

type Globals = { configFile?: string[]; configDir?: string[]; debug?: true };
type Chosen = {
  readonly command: ManageCommand;
  readonly flags: Readonly<Record<string, unknown>>;
  readonly globals: Globals;
};

async function main(argv: readonly string[]): Promise<ExitCode> {
  const chosen = parse(argv);
  if (typeof chosen === "number") return chosen;
  const out = new ManageOutput(chosen.flags.json === true);
  const interrupt = new AbortController();
  const stop = (signal: NodeJS.Signals) =>
    interrupt.abort(new ServiceError("schema.interrupted", interruptedText(signal)));
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    return await run(chosen, out, interrupt.signal);
  } catch (error) {
    const facts = isServiceError(error) ? { code: error.code, facts: error.facts } : { code: "unexpected" };
    out.error(errorText(error), { command: chosen.command.name, ...facts });
    if ((chosen.globals.debug || !isServiceError(error)) && error instanceof Error)
      process.stderr.write(`${error.stack}\n`);
    return manageExitCodeOf(error);
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

async function run(chosen: Chosen, out: ManageOutput, signal: AbortSignal): Promise<ExitCode> {
  const { command, flags, globals } = chosen;
  const files = findConfigFiles("glance-manage", globals.configFile ?? [], globals.configDir ?? []);
  const config = loadConfig({ files, groups: allOptionGroups });
  const { release } = config.read(nodeOptions);
  const target = releaseNamed(typeof flags.to === "string" ? flags.to : release);
  const debug = globals.debug === true || config.read(logOptions).debug;
  const { url, options } = readDatabaseConfig(config);
  const logger = createLogger({ level: debug ? "debug" : "warn", name: "glance-manage" });
  // A person waits for the answer: one try, where a node would go on trying.
  const db = await openDatabase(url, { ...options, connectAttemptsMax: 1, logger });
  try {
    const seconds = flags.lockWaitSeconds;
    const limits: EngineOptions["limits"] = {
      ...(typeof seconds === "number" ? { lockBudgetMs: seconds * 1_000 } : {}),
      allowCopy: flags.allowCopy === true,
    };
    const engine = { db, target, limits, on: out.onEvent, signal };
    return await command.run({ db, target, out, engine, flag: <T>(name: string) => flags[name] as T | undefined });
  } finally {
    await db.close();
  }
}

/** Both the command line and the configuration take nothing else. */
function releaseNamed(name: string): Release {
  assert(isReleaseId(name), `${name} is a release of the catalogue`);
  return releaseOf(name);
}

function interruptedText(signal: NodeJS.Signals): string {
  return `stopped by ${signal} at a safe point; run the same command again to go on`;
}

/** The command with its flags, or the exit code where commander has said all there is. */
function parse(argv: readonly string[]): Chosen | ExitCode {
  let chosen: Chosen | undefined;
  const collect = (value: string, previous: readonly string[] = []) => [...previous, value];
  const program = new Command("glance-manage")
    .description("Manages the database of the image service.")
    .version(`glance-manage (perennial) ${packageVersion()}`)
    .option("--config-file <path>", "configuration file; may be repeated, later ones win", collect)
    .option("--config-dir <path>", "folder of *.conf files, read after the files", collect)
    .option("--debug", "log at debug level, and show stack traces")
    .addHelpText("after", helpAfter)
    .exitOverride();
  const add = (parser: Command, command: ManageCommand) => {
    const positional = command.positional ?? [];
    for (const name of positional) parser.argument(`[${name}]`);
    addFlags(parser, command).action((...args: unknown[]) => {
      const given = positional.flatMap((name, index) =>
        args[index] === undefined ? [] : [[name, args[index]] as const],
      );
      chosen = { command, flags: { ...parser.opts(), ...Object.fromEntries(given) }, globals: program.opts<Globals>() };
    });
  };
  const group = program.command("db").description("Commands on the database").exitOverride();
  for (const command of commands) {
    add(group.command(command.name), command);
    add(program.command(`db_${command.name}`, { hidden: true }), command);
  }
  try {
    program.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  return chosen ?? exitCodes.usage;
}

function addFlags(parser: Command, command: ManageCommand): Command {
  parser
    .summary(command.summary)
    .description(`${command.summary}\n\n${command.help}`)
    .exitOverride()
    .allowExcessArguments(false);
  for (const { flag, help, parse: read } of command.flags) {
    if (!read) parser.option(flag, help);
    else
      parser.option(flag, help, (text: string) => {
        try {
          return read(text);
        } catch (error) {
          throw new InvalidArgumentError(errorText(error));
        }
      });
  }
  parser.addOption(new Option("--to <release>", "target release (default: [perennial] release)").choices(releaseIds));
  return parser.option("--json", "print one JSON object a line on stdout: events, then the result");
}

process.exitCode = await main(process.argv.slice(2));

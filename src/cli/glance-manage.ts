// The command `glance-manage`: opens the database of glance-api.conf, runs the one subcommand that the command line names, and turns
// failures into one line and an exit code.
import assert from "node:assert/strict";
import { loadConfig } from "../core/config.ts";
import { findConfigFiles } from "../core/config-files.ts";
import { errorText, isServiceError, ServiceError } from "../core/errors.ts";
import { createLogger } from "../core/logger.ts";
import { openDatabase, readDatabaseConfig } from "../db/connect.ts";
import type { EngineOptions } from "../db/schema/engine-run.ts";
import { logOptions, nodeOptions } from "../node/config.ts";
import { isReleaseId, type Release, releaseOf } from "../releases/catalogue.ts";
import { manageExitCodeOf } from "./exit-code-of.ts";
import type { ExitCode } from "./exit-codes.ts";
import { manageCommands } from "./manage-commands.ts";
import { ManageOutput } from "./manage-output.ts";
import { type ChosenCommand, parseManage } from "./manage-parser.ts";
import { configuration } from "./wire-options.ts";

async function main(argv: readonly string[]): Promise<ExitCode> {
  const chosen = parseManage(argv, manageCommands);
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

async function run(chosen: ChosenCommand, out: ManageOutput, signal: AbortSignal): Promise<ExitCode> {
  const { command, flags, globals } = chosen;
  const files = findConfigFiles("glance-manage", globals.configFile ?? [], globals.configDir ?? []);
  const config = loadConfig({ files, ...configuration });
  const { release } = config.read(nodeOptions);
  const target = releaseNamed(typeof flags.to === "string" && !command.withoutTarget ? flags.to : release);
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
    const flag = <T>(name: string) => flags[name] as T | undefined;
    return await command.run({ db, target, out, engine, config, flag });
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

process.exitCode = await main(process.argv.slice(2));

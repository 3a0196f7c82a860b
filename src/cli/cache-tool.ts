// What the three commands on a node's own cache have in common: they read the node's configuration, do one thing, print what they did, and end.
// Safe beside the node and beside each other: the cache's marks and indexes keep them apart.
import { Command, CommanderError } from "commander";
import { readCacheSettings } from "../cache/config.ts";
import type { FileCache } from "../cache/file-cache.ts";
import { type Config, loadConfig } from "../core/config.ts";
import { findConfigFiles } from "../core/config-files.ts";
import { errorText, isServiceError, ServiceError } from "../core/errors.ts";
import { StopStack } from "../core/lifecycle.ts";
import { createLogger, type Logger } from "../core/logger.ts";
import { packageVersion } from "../core/package-version.ts";
import { openDatabase, readDatabaseConfig } from "../db/connect.ts";
import type { Database } from "../db/database.ts";
import { readNodeSettings } from "../node/node-settings.ts";
import { type Release, releaseOf } from "../releases/catalogue.ts";
import { exitCodeOf } from "./exit-code-of.ts";
import { type ExitCode, exitCodes } from "./exit-codes.ts";
import { openCache } from "./wire-cache.ts";
import { configuration } from "./wire-options.ts";

export type CacheToolContext = {
  readonly cache: FileCache;
  readonly config: Config;
  readonly release: Release;
  readonly logger: Logger;
  /** The same one however often it is asked for; closed at the end. */
  readonly openDb: () => Promise<Database>;
  readonly stack: StopStack;
  /** Aborts at SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
};

/** `text`: the line for people; what was done is printed as JSON too, by --json. */
export type CacheToolOutcome = { readonly text: string; readonly json: object; readonly failed?: boolean };

export type CacheTool = {
  readonly name: string;
  readonly description: string;
  readonly run: (context: CacheToolContext) => Promise<CacheToolOutcome>;
};

type Options = {
  readonly configFile?: readonly string[];
  readonly configDir?: readonly string[];
  readonly json?: true;
};

const helpAfter = (name: string) => `
Examples:
  ${name}
  ${name} --config-file /etc/glance/glance-api.conf --json

Exit codes:
  0 done   1 failed, or not all was done   2 wrong command line   69 the database cannot be reached   78 the configuration is wrong
`;

/** Runs the command and sets the exit code of the process. */
export async function runCacheTool(tool: CacheTool): Promise<void> {
  const collect = (value: string, previous: readonly string[] = []) => [...previous, value];
  const program = new Command(tool.name)
    .description(tool.description)
    .version(`${tool.name} (perennial) ${packageVersion()}`)
    .option("--config-file <path>", "configuration file of the node; may be repeated, later ones win", collect)
    .option("--config-dir <path>", "folder of *.conf files, read after the files", collect)
    .option("--json", "print one JSON object instead of a line")
    .addHelpText("after", helpAfter(tool.name))
    .allowExcessArguments(false)
    .exitOverride();
  try {
    program.parse();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    return;
  }
  process.exitCode = await execute(tool, program.opts<Options>());
}

async function execute(tool: CacheTool, options: Options): Promise<ExitCode> {
  const stack = new StopStack();
  try {
    const files = findConfigFiles("glance-api", options.configFile ?? [], options.configDir ?? []);
    const { text, json, failed } = await tool.run(await openContext(tool.name, files, stack));
    process.stdout.write(options.json ? `${JSON.stringify(json)}\n` : `${text}\n`);
    return failed ? exitCodes.failed : exitCodes.ok;
  } catch (error) {
    if (!isServiceError(error) && !(error instanceof Stopped)) throw error;
    process.stderr.write(`${tool.name}: ${errorText(error).replaceAll("\n", " ")}\n`);
    return exitCodeOf(error);
  } finally {
    await stack.stop();
  }
}

/** Somebody stopped the command. */
class Stopped extends Error {}

async function openContext(name: string, files: readonly string[], stack: StopStack): Promise<CacheToolContext> {
  const config = loadConfig({ files, ...configuration });
  const release = releaseOf(readNodeSettings(config).release);
  const settings = readCacheSettings(config, release.capabilities);
  if (!settings)
    throw new ServiceError("config.invalid", "[DEFAULT] image_cache_dir is not set: this node caches no images.", {
      facts: { section: "DEFAULT", option: "image_cache_dir" },
    });
  const logger = createLogger({ level: "warn", name });
  let opened: Promise<Database> | undefined;
  const openDb = () => {
    const { url, options } = readDatabaseConfig(config);
    opened ??= openDatabase(url, { ...options, poolSizeMax: 2, connectAttemptsMax: 1, logger }).then((db) => {
      stack.defer(() => db.close());
      return db;
    });
    return opened;
  };
  if (settings.selfUrl !== null) await openDb();
  const cache = await openCache(settings, openDb, logger);
  stack.defer(() => cache.close());
  return { cache, config, release, logger, openDb, stack, signal: stopSignal() };
}

function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const)
    process.once(name, () => controller.abort(new Stopped(`stopped by ${name}; what was not fetched stays queued`)));
  return controller.signal;
}

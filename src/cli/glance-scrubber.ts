// The command `glance-scrubber`: removes data of images whose deletion was delayed (delayed_delete), once or for ever, and brings an image back
// while its data is still there. It reads a node's configuration, for the database and the stores.
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, CommanderError } from "commander";
import { type Config, loadConfig } from "../core/config.ts";
import { findConfigFiles } from "../core/config-files.ts";
import { errorText, isServiceError, ServiceError } from "../core/errors.ts";
import { StopStack } from "../core/lifecycle.ts";
import { createLogger, type Logger } from "../core/logger.ts";
import { packageVersion } from "../core/package-version.ts";
import { TransferTracker } from "../core/transfers.ts";
import { openDatabase, readDatabaseConfig } from "../db/connect.ts";
import { createScrubRepository } from "../db/repositories/scrub-repository.ts";
import { createUploadRepository } from "../db/repositories/upload-repository.ts";
import { openOperatorRules } from "../identity/policy/open-policy.ts";
import { scrubberOptions } from "../images/config.ts";
import { type ScrubberDeps, scrub } from "../images/scrubbing/scrubber.ts";
import { nodeOptions } from "../node/config.ts";
import { readNodeSettings } from "../node/node-settings.ts";
import { releaseOf } from "../releases/catalogue.ts";
import { exitCodeOf } from "./exit-code-of.ts";
import { type ExitCode, exitCodes } from "./exit-codes.ts";
import { configuration } from "./wire-options.ts";
import { openServices } from "./wire-services.ts";

const name = "glance-scrubber";
const helpAfter = `
Examples:
  ${name}
  ${name} --config-file /etc/glance/glance-api.conf --json
  ${name} --daemon
  ${name} --restore 5f0a1d6e-8f3c-4f0e-9f53-0c1b8f8d6a11

Exit codes:
  0 done   1 failed, or a store kept some data   2 wrong command line   69 the database cannot be reached   78 the configuration is wrong
`;

type Options = {
  readonly configFile?: readonly string[];
  readonly configDir?: readonly string[];
  readonly daemon?: true;
  readonly restore?: string;
  readonly json?: true;
};

async function main(argv: readonly string[]): Promise<ExitCode> {
  const collect = (value: string, previous: readonly string[] = []) => [...previous, value];
  const program = new Command(name)
    .description("Removes data of images whose deletion was delayed, once scrub_time is over.")
    .version(`${name} (perennial) ${packageVersion()}`)
    .option("--config-file <path>", "configuration file of a node; may be repeated, later ones win", collect)
    .option("--config-dir <path>", "folder of *.conf files, read after the files", collect)
    .option("-D, --daemon", "go on for ever, every wakeup_time seconds")
    .option("--restore <image>", "bring one deleted image back, with its data, properties, tags and members")
    .option("--json", "print one JSON object instead of a line")
    .addHelpText("after", helpAfter)
    .allowExcessArguments(false)
    .exitOverride();
  try {
    program.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  const options = program.opts<Options>();
  if (options.daemon && options.restore !== undefined) {
    process.stderr.write(`${name}: --restore and --daemon exclude each other; restore first.\n`);
    return exitCodes.usage;
  }
  return execute(options);
}

async function execute(options: Options): Promise<ExitCode> {
  const stack = new StopStack();
  const say = (text: string, json: object) =>
    void process.stdout.write(options.json ? `${JSON.stringify(json)}\n` : `${text}\n`);
  try {
    const files = findConfigFiles(name, options.configFile ?? [], options.configDir ?? []);
    const config = loadConfig({ files, ...configuration });
    const logger = createLogger({ level: options.daemon ? "info" : "warn", name });
    if (options.restore !== undefined) {
      await restore(config, options.restore, logger, stack);
      say(`Image ${options.restore} is active again.`, { restored: options.restore });
      return exitCodes.ok;
    }
    const deps = await openScrubber(config, logger, stack);
    const signal = stopSignal();
    if (options.daemon) return await goOn(deps, config.read(scrubberOptions).wakeup_time, signal);
    const { images, kept, left } = await scrub(deps, signal);
    const more = [
      kept > 0 ? `; a store kept the data of ${kept}, which is tried again` : "",
      left > 0 ? `; ${left} are left to a scrubber that has their stores` : "",
    ];
    say(`Scrubbed ${images} images${more.join("")}.`, { images_scrubbed: images, data_kept: kept, images_left: left });
    return kept > 0 ? exitCodes.failed : exitCodes.ok;
  } catch (error) {
    if (!isServiceError(error)) throw error;
    process.stderr.write(`${name}: ${errorText(error).replaceAll("\n", " ")}\n`);
    return exitCodeOf(error);
  } finally {
    await stack.stop();
  }
}

/** Until a signal; a round that fails is said in the log, and the next one comes all the same. */
async function goOn(deps: ScrubberDeps, pauseSeconds: number, signal: AbortSignal): Promise<ExitCode> {
  while (!signal.aborted) {
    try {
      const { images, kept, left } = await scrub(deps, signal);
      if (images > 0) deps.logger.info({ images, kept, left }, "scrubbed");
    } catch (error) {
      if (!isServiceError(error)) throw error;
      deps.logger.error({ error: errorText(error) }, "a round of scrubbing failed");
    }
    await sleep(pauseSeconds * 1_000, undefined, { signal }).catch(() => undefined);
  }
  return exitCodes.ok;
}

async function restore(config: Config, imageId: string, logger: Logger, stack: StopStack): Promise<void> {
  const release = releaseOf(readNodeSettings(config).release);
  if (!release.capabilities.restoring)
    throw new ServiceError("config.invalid", `Release ${release.id} restores no images; Rocky was the first to do so.`);
  await createScrubRepository(await openDb(config, logger, stack)).restore(imageId);
}

async function openDb(config: Config, logger: Logger, stack: StopStack) {
  const { url, options } = readDatabaseConfig(config);
  const db = await openDatabase(url, { ...options, poolSizeMax: 4, connectAttemptsMax: 1, logger });
  stack.defer(() => db.close());
  return db;
}

async function openScrubber(config: Config, logger: Logger, stack: StopStack): Promise<ScrubberDeps> {
  const release = releaseOf(readNodeSettings(config).release);
  const db = await openDb(config, logger, stack);
  const rules = openOperatorRules(config, release.capabilities);
  const nodeName = `scrubber-${hostname()}-${process.pid}`.slice(0, 255);
  const parts = { db, release, nodeName, logger, transfers: new TransferTracker(), rules, stack };
  const { services, stores } = await openServices(config, parts);
  const { scrub_time: ageSeconds, scrub_pool_size: imagesAtOnce } = config.read(scrubberOptions);
  return {
    pending: createScrubRepository(db),
    uploads: createUploadRepository(db, release.capabilities),
    stores,
    reaper: services.reaper,
    logger,
    node: nodeName,
    uploadLeaseSeconds: config.read(nodeOptions).upload_lease_seconds,
    ageSeconds,
    imagesAtOnce,
  };
}

function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

process.exitCode = await main(process.argv.slice(2));

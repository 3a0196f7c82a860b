// The logger that glance-api.conf asks for.
import { closeSync, openSync } from "node:fs";
import { resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Config } from "../core/config.ts";
import { errorText, ServiceError } from "../core/errors.ts";
import { createLogger, type Logger } from "../core/logger.ts";
import { logOptions } from "./config.ts";

/** `name`: which process logs. Throws config.invalid where the log file cannot be opened. */
export function openLogger(config: Config, name: string): Logger {
  const { debug, log_file: logFile, log_dir: logDir } = config.read(logOptions);
  const level = debug ? "debug" : "info";
  if (logFile === null || logFile === "") return createLogger({ level, name });
  const file = resolve(logDir ?? "", logFile);
  try {
    // The logger itself would swallow what is wrong with the file. Its folder is the operator's to make.
    closeSync(openSync(file, "a"));
    return createLogger({ level, name, file });
  } catch (error) {
    const message = `cannot log to ${file}: ${errorText(error)}; correct [DEFAULT] log_file`;
    throw new ServiceError("config.invalid", message, { facts: { file }, cause: error });
  }
}

/** The present logger where the new configuration asks for the same one, else a new one. */
export function loggerFor(config: Config, present: { readonly config: Config; readonly logger: Logger }): Logger {
  const same = isDeepStrictEqual(config.read(logOptions), present.config.read(logOptions));
  return same ? present.logger : openLogger(config, "glance-api");
}

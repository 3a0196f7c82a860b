// The logger every room takes: pino, to stderr, one JSON object a line, so that stdout stays for a command's output.
import { type Logger, pino } from "pino";

export type { Logger };

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/** `file`: a path to append to instead of stderr (Glance's `[DEFAULT] log_file`). */
export function createLogger(options: { level: LogLevel; name: string; file?: string }): Logger {
  return pino(
    { level: options.level, name: options.name, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: options.file ?? 2, sync: true, mkdir: true }),
  );
}

export const silentLogger: Logger = pino({ level: "silent" });

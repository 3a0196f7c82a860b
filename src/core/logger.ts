// The logger every room takes: pino, to stderr, one JSON object a line, so that stdout stays for a command's output.
import { type Logger, pino } from "pino";

export type { Logger };

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/** The files this process logs to, for reopenLogFiles. */
const logFiles: { reopen(): void }[] = [];

/** `file`: a path to append to instead of stderr (Glance's `[DEFAULT] log_file`). Throws where it cannot be opened. */
export function createLogger(options: { level: LogLevel; name: string; file?: string }): Logger {
  const destination = pino.destination({ dest: options.file ?? 2, sync: true, mkdir: true });
  if (options.file !== undefined) logFiles.push(destination);
  return pino({ level: options.level, name: options.name, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

/** Opens the log files by their names again, after logrotate has moved them away. */
export function reopenLogFiles(): void {
  for (const file of logFiles) file.reopen();
}

export const silentLogger: Logger = pino({ level: "silent" });

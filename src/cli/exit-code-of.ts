// Which exit code a failure ends a command with. glance-manage has rules of the reference besides (exit-codes.ts).
import { type ErrorCode, isServiceError } from "../core/errors.ts";
import { type ExitCode, exitCodes } from "./exit-codes.ts";

const exitByError: Partial<Record<ErrorCode, ExitCode>> = {
  "config.invalid": exitCodes.badConfig,
  "db.unreachable": exitCodes.databaseUnavailable,
  "db.access_denied": exitCodes.databaseUnavailable,
  "db.wrong_schema": exitCodes.startRefused,
  "node.start_refused": exitCodes.startRefused,
  "node.port_in_use": exitCodes.cannotListen,
};

export function exitCodeOf(error: unknown): ExitCode {
  return (isServiceError(error) ? exitByError[error.code] : undefined) ?? exitCodes.failed;
}

// How a failed command of glance-rollout ends: one line on standard error and the documented exit code.
import { type ErrorCode, errorText, isServiceError } from "../../core/errors.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";

const codeByError: Partial<Record<ErrorCode, ExitCode>> = {
  "config.invalid": exitCodes.badConfig,
  "rollout.fleet_invalid": exitCodes.badConfig,
  "db.unreachable": exitCodes.databaseUnavailable,
  "db.access_denied": exitCodes.databaseUnavailable,
  "node.port_in_use": exitCodes.cannotListen,
  "schema.locked": exitCodes.locked,
  "rollout.paused": exitCodes.paused,
};

/** Prints the line; a programmer's mistake is thrown on, with its stack. */
export function failCommand(error: unknown): ExitCode {
  if (!isServiceError(error)) throw error;
  process.stderr.write(`glance-rollout: ${errorText(error).replaceAll("\n", " ")}\n`);
  return codeByError[error.code] ?? exitCodes.failed;
}

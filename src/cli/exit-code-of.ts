// Which exit code a failure ends a command with. glance-manage has rules of the reference besides (exit-codes.ts).
import { type ErrorCode, isServiceError } from "../core/errors.ts";
import { type ExitCode, exitCodes } from "./exit-codes.ts";

const exitByError: Partial<Record<ErrorCode, ExitCode>> = {
  "config.invalid": exitCodes.badConfig,
  "db.unreachable": exitCodes.databaseUnavailable,
  "db.access_denied": exitCodes.databaseUnavailable,
  "db.full": exitCodes.databaseUnavailable,
  "db.wrong_schema": exitCodes.startRefused,
  "node.start_refused": exitCodes.startRefused,
  "node.port_in_use": exitCodes.cannotListen,
  "rollout.fleet_invalid": exitCodes.badConfig,
  "rollout.paused": exitCodes.paused,
  "rollout.lease_lost": exitCodes.locked,
  "rollout.plan_outdated": exitCodes.planOutdated,
  "console.token_unusable": exitCodes.badConfig,
};

export function exitCodeOf(error: unknown): ExitCode {
  return (isServiceError(error) ? exitByError[error.code] : undefined) ?? exitCodes.failed;
}

/** glance-manage: 1 for everything the reference also ends with 1; only what another run, the way to the database or a file is to blame for has codes of its own. */
export function manageExitCodeOf(error: unknown): ExitCode {
  if (isServiceError(error, "schema.locked")) return exitCodes.locked;
  if (isServiceError(error, "db.wrong_schema")) return exitCodes.failed;
  return exitCodeOf(error);
}

// How a failed command of glance-rollout ends: one line on standard error and the documented exit code.
import { errorText, isServiceError } from "../../core/errors.ts";
import { exitCodeOf } from "../exit-code-of.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";

/** Prints the line; a programmer's mistake is thrown on, with its stack. */
export function failCommand(error: unknown): ExitCode {
  if (!isServiceError(error)) throw error;
  process.stderr.write(`glance-rollout: ${errorText(error).replaceAll("\n", " ")}\n`);
  return isServiceError(error, "schema.locked") ? exitCodes.locked : exitCodeOf(error);
}

// Makes one line of whatever ended a backup or a restore, under a code that says what to do about it.
import { type ErrorCode, errorText, isServiceError, ServiceError } from "../../core/errors.ts";

/** These keep their code: what is to blame is not the backup. */
const kept: readonly ErrorCode[] = ["db.unreachable", "db.access_denied", "schema.locked", "schema.interrupted"];

export function failureOf(
  error: unknown,
  code: "db.backup_failed" | "db.restore_failed",
  sentence: (why: string) => string,
) {
  const as = isServiceError(error, ...kept) ? error.code : code;
  return new ServiceError(as, sentence(describe(error)), { cause: error });
}

function describe(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOSPC" || code === "EDQUOT") return "the disk is full";
  const text = errorText(error);
  return text.split("\n")[0] ?? text;
}

// Translates what the operating system says about files into the errors of the store contract.
import { errorText, type Facts, isServiceError, ServiceError } from "../../core/errors.ts";

/** `what`: a sentence of what was tried, without its period. `facts` go to logs. ServiceErrors pass unchanged. */
export function storeError(error: unknown, what: string, facts: Facts): ServiceError {
  if (isServiceError(error)) return error;
  const options = { facts: { ...facts, cause: errorText(error) }, cause: error };
  switch (errorCode(error)) {
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return new ServiceError("stores.full", `${what}: the store has no room left.`, options);
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new ServiceError("stores.read_only", `${what}: the store does not allow it.`, options);
    case "ENOENT":
    case "ENOTDIR":
    case "ELOOP":
      return new ServiceError("stores.blob_not_found", `${what}: there is no such data.`, options);
    default:
      return new ServiceError("stores.unavailable", `${what}: the store does not answer.`, options);
  }
}

/** `ENOENT` and its like; empty where the value is no system error. */
export function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

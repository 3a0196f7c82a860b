// What Ceph's refusals mean to a store's users.
import { errorText, type Facts, isServiceError, ServiceError } from "../../core/errors.ts";
import { refusedWith } from "./ceph-threads.ts";

/** `what` failed, as the beginning of a sentence. */
export function failureOf(error: unknown, facts: Facts, what: string): ServiceError {
  if (isServiceError(error)) return error;
  const code = refusedWith(error, "EEXIST")
    ? "stores.blob_exists"
    : refusedWith(error, "ENOSPC", "EDQUOT", "E2BIG", "EFBIG")
      ? "stores.full"
      : refusedWith(error, "EBUSY", "ENOTEMPTY")
        ? "stores.in_use"
        : refusedWith(error, "EACCES", "EPERM", "EROFS")
          ? "stores.read_only"
          : "stores.unavailable";
  return new ServiceError(code, `${what}: ${errorText(error)}.`, { facts, cause: error });
}

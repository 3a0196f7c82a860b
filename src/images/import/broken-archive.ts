// What an owner reads of compressed data that cannot be unpacked.
import { ServiceError } from "../../core/errors.ts";

/** `why` goes on after "it cannot be imported:". */
export function brokenArchive(why: string, cause?: unknown): ServiceError {
  return new ServiceError("images.unfit_data", `The data is a compressed file that cannot be imported: ${why}.`, {
    cause,
  });
}

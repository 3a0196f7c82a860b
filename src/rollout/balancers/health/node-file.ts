// A file on a node's host that makes its health check fail while it is there ([healthcheck] disable_by_file_path).
import { readFile, rm } from "node:fs/promises";
import { errorText, ServiceError } from "../../../core/errors.ts";
import { replaceFile } from "../../replace-file.ts";

export interface NodeFile {
  /** Its path, for people. */
  readonly path: string;
  /** Null where it is not there. Throws rollout.driver_failed where that cannot be known. */
  read(signal: AbortSignal): Promise<string | null>;
  /** All or nothing. Throws rollout.driver_failed. */
  write(text: string, signal: AbortSignal): Promise<void>;
  /** Removing what is not there succeeds. Throws rollout.driver_failed. */
  remove(signal: AbortSignal): Promise<void>;
}

/** One that this machine sees, as its own or by a shared folder. */
export function localNodeFile(path: string): NodeFile {
  const failed = (error: unknown) => {
    const message = `${path}, which takes a node out of rotation, cannot be used (${errorText(error)}); make its folder one that glance-rollout may write`;
    return new ServiceError("rollout.driver_failed", message, { facts: { path }, cause: error });
  };
  return {
    path,
    async read() {
      try {
        return await readFile(path, "utf8");
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
        throw failed(error);
      }
    },
    write: (text) =>
      replaceFile(path, text).catch((error: unknown) => {
        throw failed(error);
      }),
    remove: (_signal) =>
      rm(path, { force: true }).catch((error: unknown) => {
        throw failed(error);
      }),
  };
}

// The file that tells which process is the supervisor. One left behind by a killed supervisor is seen as such and replaced.
import { existsSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { errorText, ServiceError } from "../core/errors.ts";

/** What every process of ours calls itself, and so what tells it from another one that got its old process id. */
export const processTitle = "glance-api";

/**
 * Writes our process id. Throws node.start_refused where a running glance-api holds the file, config.invalid where it cannot be written.
 * `predecessor`: the process we take over from, whose file it may be. Returns what removes it where no other process has replaced it, and says so.
 */
export function writePidFile(path: string, pid: number, predecessor?: number): () => boolean {
  const holder = readPid(path);
  if (holder !== null && holder !== pid && holder !== predecessor && runsGlanceApi(holder)) {
    const message = `a glance-api runs already as process ${holder}, says ${path}; stop it first, or give this one a [perennial] pid_file of its own`;
    throw new ServiceError("node.start_refused", message, { facts: { pid: holder, path } });
  }
  try {
    // One folder, such as /run/glance, which is gone after each boot. (`recursive` never returns where a file system refuses.)
    if (!existsSync(dirname(path))) mkdirSync(dirname(path));
    // Renamed into place, so that nobody reads an empty file.
    writeFileSync(`${path}.${pid}`, `${pid}\n`);
    renameSync(`${path}.${pid}`, path);
  } catch (error) {
    const message = `cannot write ${path}: ${errorText(error)}; correct [perennial] pid_file`;
    throw new ServiceError("config.invalid", message, { facts: { path }, cause: error });
  }
  return () => {
    const ours = readPid(path) === pid;
    if (ours) unlinkSync(path);
    return ours;
  };
}

/** Whether a process of this id lives here and is one of ours; where the system does not tell its name, living is enough. */
export function runsGlanceApi(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Anything but "no such process" means it exists, for instance under another user.
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(processTitle);
  } catch {
    // No /proc here, or the process ended just now: the careful answer is that it lives.
    return true;
  }
}

function readPid(path: string): number | null {
  try {
    const pid = Number(readFileSync(path, "utf8").trim());
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}

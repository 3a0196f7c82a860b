// The operator's switch to take a node out of rotation: a file that exists or not. Asked for at every health check, so the
// answer is kept for half a second, which balancers that check every few milliseconds do not notice.
import { existsSync } from "node:fs";

const keptMs = 500;

/** True while one of the files exists. `nowMs`: any clock that does not go back. */
export function disableFile(files: readonly string[], nowMs: () => number = () => performance.now()): () => boolean {
  let askedMs = -Infinity;
  let exists = false;
  return () => {
    if (nowMs() - askedMs >= keptMs) {
      exists = files.some((file) => existsSync(file));
      askedMs = nowMs();
    }
    return exists;
  };
}

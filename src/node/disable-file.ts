// The operator's switch to take a node out of rotation: a file that exists or not. Asked for at every health check, so the
// answer is kept for half a second, which balancers that check every few milliseconds do not notice.
import { existsSync } from "node:fs";

const keptMs = 500;

/** `path` empty: never. `nowMs`: any clock that does not go back. */
export function disableFile(path: string, nowMs: () => number = () => performance.now()): () => boolean {
  let askedMs = -Infinity;
  let exists = false;
  return () => {
    if (path === "") return false;
    if (nowMs() - askedMs >= keptMs) {
      exists = existsSync(path);
      askedMs = nowMs();
    }
    return exists;
  };
}

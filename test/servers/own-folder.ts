// A server in a folder of its own below the temporary ones, started again where another process was quicker to take its port.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const attemptsMax = 3;

/**
 * `name`: as the folder is to be called. A free port may be taken between our finding it and the server's binding it: then `start` is called again with
 * another folder. Throws what `start` throws, which says what the server said; the folder is gone then.
 */
export async function startInOwnFolder<T>(name: string, start: (folder: string) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const folder = await mkdtemp(join(tmpdir(), `perennial-${name}-`));
    try {
      return await start(folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      if (attempt === attemptsMax || !String(error).includes("Address already in use")) throw error;
    }
  }
}

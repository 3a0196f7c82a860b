// Where a rollout's journal is kept beside the database: a folder of files, and what a journal needs of it.
import { type FileHandle, mkdir, open, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type JournalFile, journalEnding, readJournals, unusable } from "./journal-file.ts";

/** Everything throws rollout.fleet_invalid where the disk cannot be used. */
export interface JournalDisk {
  /** The journals of one fleet and target, oldest first. */
  read(fleet: string, target: string): Promise<readonly JournalFile[]>;
  /** A journal that is not there yet. */
  begin(rolloutId: string): Promise<JournalPen>;
  /** One that holds the entries that count, for more: `forked`, those in `file` do not, and it is put aside. */
  goOn(rolloutId: string, state: JournalState): Promise<JournalPen>;
}
export type JournalState = {
  readonly file: JournalFile | undefined;
  readonly forked: boolean;
  readonly missing: readonly string[];
};
export interface JournalPen {
  /** Resolves when the lines, each with its end, are on disk. */
  append(lines: string): Promise<void>;
  close(): Promise<void>;
}

export function journalFolder(folder: string): JournalDisk {
  const pathOf = (rolloutId: string) => join(folder, `${rolloutId}${journalEnding}`);
  return {
    async read(fleet, target) {
      try {
        await mkdir(folder, { recursive: true });
      } catch (error) {
        throw unusable(folder, error);
      }
      return readJournals(folder, fleet, target);
    },
    async begin(rolloutId) {
      const path = pathOf(rolloutId);
      const file = await open(path, "ax", 0o640).catch((error: unknown) => Promise.reject(unusable(path, error)));
      return penOf(file, rolloutId);
    },
    async goOn(rolloutId, state) {
      return penOf(await prepareFile(pathOf(rolloutId), state), rolloutId);
    },
  };
}

function penOf(file: FileHandle, rolloutId: string): JournalPen {
  return {
    async append(lines) {
      try {
        await file.appendFile(lines);
        await file.datasync();
      } catch (error) {
        throw unusable(rolloutId, error);
      }
    },
    close: () => file.close(),
  };
}

async function prepareFile(path: string, { file, forked, missing }: JournalState): Promise<FileHandle> {
  try {
    if (file && forked) await rename(path, `${path}.aside-${Date.now()}`);
    if (file && !forked) {
      // A line that was cut short by a crash was never acknowledged.
      const handle = await open(path, "r+");
      await handle.truncate(file.bytes);
      await handle.sync();
      await handle.close();
    } else await writeFile(path, "", { flag: "ax", mode: 0o640 });
    const handle = await open(path, "a");
    if (missing.length > 0) {
      await handle.appendFile(missing.map((line) => `${line}\n`).join(""));
      await handle.datasync();
    }
    return handle;
  } catch (error) {
    throw unusable(path, error);
  }
}

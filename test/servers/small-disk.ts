// A file system of a few megabytes, for tests of full and read-only disks. Only root can mount one.
import { spawnSync } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type SmallDisk = {
  readonly path: string;
  /** Takes all the room that is left; `free` gives it back. */
  fill(): void;
  free(): Promise<void>;
  setReadOnly(readOnly: boolean): void;
  remove(): Promise<void>;
};

const block = Buffer.alloc(4_096);

/**
 * null where this machine does not let us mount one. `owner`: who may write there; default: who runs the test. `at`: over which folder,
 * whose files are out of sight from then on; default: a new one.
 */
export async function mountSmallDisk(
  sizeMb: number,
  options: { owner?: string; at?: string } = {},
): Promise<SmallDisk | null> {
  const { owner, at } = options;
  const path = at ?? (await mkdtemp(join(tmpdir(), "perennial-disk-")));
  const removeFolder = async () => (at === undefined ? rm(path, { recursive: true, force: true }) : undefined);
  const mode = `size=${sizeMb}m,mode=0755${owner === undefined ? "" : `,uid=${owner},gid=${owner}`}`;
  if (spawnSync("mount", ["-t", "tmpfs", "-o", mode, "perennial-test", path]).status !== 0) {
    await removeFolder();
    return null;
  }
  const filler = join(path, "filler");
  return {
    path,
    fill() {
      const file = openSync(filler, "a");
      try {
        for (;;) writeSync(file, block);
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
      } finally {
        closeSync(file);
      }
    },
    free: () => rm(filler),
    setReadOnly(readOnly) {
      const { status, stderr } = spawnSync("mount", ["-o", `remount,${readOnly ? "ro" : "rw"}`, path]);
      if (status !== 0) throw new Error(`${path} cannot be mounted anew: ${stderr}`);
    },
    async remove() {
      spawnSync("umount", ["--lazy", path]);
      await removeFolder();
    },
  };
}

/** What a test says that cannot run here. */
export const cannotMount = "this machine does not let us mount a small file system: that takes root";

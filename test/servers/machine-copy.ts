// A copy of this machine's file system for installing packages: what is written there is kept in memory, and gone with the process that holds
// it. Only the file system is another one; its processes are this machine's and have its network.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Finished, finish } from "../../demo/processes.ts";

/** In a mount namespace of its own: $1 becomes the place, $2 the folder of files that are to be in it. Holds it until stdin closes. */
const holdScript = `set -e
mount -t tmpfs -o mode=755 perennial "$1"
mkdir "$1/upper" "$1/work" "$1/root"
cp -r "$2" "$1/upper/given"
mount -t overlay perennial -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
for each in dev proc sys; do mount --rbind "/$each" "$1/root/$each"; done
mount -t tmpfs -o mode=1777 perennial "$1/root/tmp"
mount -t tmpfs -o mode=755 perennial "$1/root/run"
echo ready
cat >/dev/null`;

export type MachineCopy = {
  /** Where the files given lie in it. */
  readonly given: string;
  /** Words that run a command in it; the process that is started is the command's own. */
  command(...words: readonly string[]): readonly [string, ...string[]];
  run(...words: readonly string[]): Promise<Finished>;
  stop(): Promise<void>;
};

/** Why this machine cannot be copied; undefined where it can. */
export function whyNoMachineCopy(): string | undefined {
  if (process.getuid?.() !== 0) return "this machine's tests do not run as root, which copying its file system needs";
  const folder = mkdtempSync(join(tmpdir(), "perennial-copy-"));
  const tried = spawnSync(
    "unshare",
    ["--mount", "--propagation=private", "sh", "-c", holdScript, "hold", folder, "/etc/passwd"],
    { input: "" },
  );
  rmSync(folder, { recursive: true, force: true });
  return tried.status === 0 ? undefined : "this machine has no overlay mounts";
}

/** `files` are copied into it. Throws where it cannot be made. */
export async function copyMachine(files: readonly string[]): Promise<MachineCopy> {
  const folder = mkdtempSync(join(tmpdir(), "perennial-copy-"));
  const [place, given] = [join(folder, "place"), join(folder, "given")];
  for (const path of [place, given]) mkdirSync(path);
  for (const file of files) copyFileSync(file, join(given, basename(file)));
  const holder: ChildProcess = spawn(
    "unshare",
    ["--mount", "--propagation=private", "sh", "-c", holdScript, "hold", place, given],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const ended = once(holder, "exit");
  const first = await Promise.race([once(holder.stdout ?? assert.fail(), "data"), ended]);
  assert.equal(String(first[0]).trim(), "ready", "the copy of this machine could not be made");
  const command = (...words: readonly string[]) =>
    ["nsenter", `--mount=/proc/${holder.pid}/ns/mnt`, "chroot", join(place, "root"), ...words] as const;
  return {
    given: "/given",
    command,
    run: (...words) => finish(command(...words), { msMax: 300_000 }),
    async stop() {
      holder.stdin?.end();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

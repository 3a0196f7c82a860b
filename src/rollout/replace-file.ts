// Replaces a file in one step: whoever reads it sees the old text or the new one, after a power cut too.
import { randomBytes } from "node:crypto";
import { chown, open, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";

/** Keeps the file's mode and owner; a file that was not there gets 0644. Rejects with the file system's error. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    const before = await stat(file).catch(absent);
    const handle = await open(temporary, "wx", (before?.mode ?? 0o644) & 0o7777);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (before && process.getuid?.() === 0) await chown(temporary, before.uid, before.gid);
    await rename(temporary, file);
    const folder = await open(dirname(file), "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

function absent(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}

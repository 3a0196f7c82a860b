// Writes a report so that whoever opens the file sees a whole one or none, and so that no file is replaced by accident.
import { randomBytes } from "node:crypto";
import { link, open, unlink } from "node:fs/promises";
import { errorText, ServiceError } from "../../core/errors.ts";
import { replaceFile } from "../../rollout/replace-file.ts";

/** `force`: a file of that name is replaced. Throws rollout.report_unwritable, naming the file and the next step. */
export async function writeReport(file: string, text: string, force: boolean): Promise<void> {
  try {
    await (force ? replaceFile(file, text) : writeNew(file, text));
  } catch (error) {
    const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
    const message = isThere
      ? `${file} exists and was left as it is; choose another name, or replace it with --force`
      : `${file} cannot be written (${errorText(error)}); choose a folder that exists and may be written to`;
    throw new ServiceError("rollout.report_unwritable", message, { facts: { file }, cause: error });
  }
}

/** Unlike a rename, a link never replaces what somebody else has put there meanwhile. */
async function writeNew(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString("hex")}`;
  const handle = await open(temporary, "wx", 0o644);
  try {
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(temporary, file);
  } finally {
    await unlink(temporary);
  }
}

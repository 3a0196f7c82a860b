// How the last hand-over of a node went, in a file beside its pid file: what asks for one by a signal learns the answer there.
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

export type HandOverNote = {
  readonly state: "under way" | "done" | "failed";
  /** The process that was asked. */
  readonly from: number;
  /** The process that is to take over; null where none could be started. */
  readonly to: number | null;
  /** Of a failed one, in one line. */
  readonly why: string | null;
};

export function handOverNotePath(pidFile: string): string {
  return `${pidFile}.handover`;
}

/** In one step, so that nobody reads half of it. Throws what the file system says. */
export function writeHandOverNote(pidFile: string, note: HandOverNote): void {
  const path = handOverNotePath(pidFile);
  writeFileSync(`${path}.${note.from}`, `${JSON.stringify(note)}\n`);
  renameSync(`${path}.${note.from}`, path);
}

/** Undefined where there is none, or it is not one. */
export function readHandOverNote(pidFile: string): HandOverNote | undefined {
  try {
    return parseHandOverNote(readFileSync(handOverNotePath(pidFile), "utf8"));
  } catch {
    // None was written: nothing is known.
    return undefined;
  }
}

/** The same of the file's text, read from wherever it is. */
export function parseHandOverNote(text: string): HandOverNote | undefined {
  try {
    const note: unknown = JSON.parse(text);
    return typeof note === "object" && note !== null && "state" in note && "from" in note
      ? (note as HandOverNote)
      : undefined;
  } catch {
    // Somebody else wrote there.
    return undefined;
  }
}

export function removeHandOverNote(pidFile: string): void {
  rmSync(handOverNotePath(pidFile), { force: true });
}

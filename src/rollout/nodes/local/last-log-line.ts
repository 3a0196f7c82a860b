// The last thing a process wrote to its log, for the one line that says why it ended.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const tailBytes = 4_096;

/** The last line, or the message of it where it is a JSON log record; null where there is none. */
export function lastLogLine(file: string): string | null {
  return lastSaid(readTail(file));
}

/** The same of a text. */
export function lastSaid(text: string): string | null {
  const line = text
    .split("\n")
    .map((one) => one.trim())
    .findLast((one) => one !== "");
  if (!line) return null;
  try {
    const record: unknown = JSON.parse(line);
    if (typeof record === "object" && record !== null && "msg" in record) return String(record.msg);
  } catch {
    // Not a log record: the line itself is what was said.
  }
  return line.slice(0, 500);
}

function readTail(file: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch {
    // No log: it said nothing.
    return "";
  }
  try {
    const { size } = fstatSync(descriptor);
    const buffer = Buffer.alloc(Math.min(tailBytes, size));
    const read = readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString("utf8", 0, read);
  } finally {
    closeSync(descriptor);
  }
}

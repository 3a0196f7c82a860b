// How the entries of a journal hold together: each carries the hash of the one before it and its own, so that an entry that was changed,
// removed, or put in shows itself. The first one is chained to the rollout's name. Pure: lines in, lines and findings out.
import { createHash } from "node:crypto";
import type { JournalEvent } from "./journal-event.ts";

/** A text column of MySQL holds 65,535 bytes; what is longer is shortened, and says so. */
const lineCharactersMax = 60_000;
const textCharactersMax = 2_000;

export type ChainedLine = { readonly seq: number; readonly hash: string; readonly entry: string };
export type ChainBreak = { readonly seq: number; readonly why: string };

const ending = /,"hash":"([0-9a-f]{64})"\}$/;

/** What the first entry of a rollout is chained to. */
export function chainStart(rolloutId: string): string {
  return sha256(rolloutId);
}

/** The line of the next entry, in ASCII: it is kept in columns of three-byte UTF-8 too. */
export function chainLine(event: Omit<JournalEvent, "previous" | "hash">, previous: string): ChainedLine {
  let body = ascii({ ...event, previous });
  if (body.length > lineCharactersMax) {
    const { data: _left, ...rest } = event;
    body = ascii({ ...rest, text: event.text.slice(0, textCharactersMax), data: { shortened: true }, previous });
  }
  const hash = sha256(body);
  return { seq: event.seq, hash, entry: `${body.slice(0, -1)},"hash":"${hash}"}` };
}

/** What the entry after this line is chained to. Lines of older versions have no hash of their own. */
export function hashOf(line: string): string {
  return ending.exec(line)?.[1] ?? sha256(line);
}

/**
 * The first entry that is not as it was written, or null. `lines` are those of one rollout, in order, all of them or those that follow on
 * `known`: so many lines, with the last of them. Entries without a hash are those of an older version of this package: they may only stand
 * before all others, and the first one after them vouches for the last of them.
 */
export function findBreak(
  rolloutId: string,
  lines: readonly string[],
  known?: { readonly lines: number; readonly last: string },
): ChainBreak | null {
  let previous = known ? hashOf(known.last) : chainStart(rolloutId);
  let chained = known !== undefined && ending.test(known.last);
  for (const [index, line] of lines.entries()) {
    const seq = (known?.lines ?? 0) + index + 1;
    const event = parseEntry(line);
    if (!event) return { seq, why: "it is no entry" };
    const own = ending.exec(line)?.[1];
    if (event.seq !== seq) return { seq, why: `entry ${event.seq} stands in its place` };
    if (own === undefined) {
      if (chained) return { seq, why: "it has no hash" };
    } else {
      chained = true;
      if (sha256(`${line.replace(ending, "")}}`) !== own) return { seq, why: "it was changed after it was written" };
      if (event.previous !== previous) return { seq, why: "it does not follow the entry before it" };
    }
    previous = hashOf(line);
  }
  return null;
}

export function parseEntry(line: string): JournalEvent | undefined {
  try {
    const event: unknown = JSON.parse(line);
    return typeof event === "object" && event !== null && "seq" in event ? (event as JournalEvent) : undefined;
  } catch {
    // What it is instead is for the caller to say.
    return undefined;
  }
}

function ascii(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[\u007f-\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

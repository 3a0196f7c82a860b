// Makes lines of a journal out of whatever stands in one: entries of newer versions with kinds and phases of their own, entries without a
// time or a text, things that are no entries at all. Nothing is thrown away that can be shown.
import type { JournalLine } from "./model.ts";

const kinds: ReadonlySet<string> = new Set(["decision", "action", "result", "observation"]);
/** Clocks of hosts that are kept in step differ by less. */
const clockMsMax = 1_000;

export class JournalReader {
  /** In the order in which they stand in the journal. */
  readonly lines: JournalLine[] = [];
  #atMs: number;
  #none = 0;
  #timeless = 0;
  #apartMs = 0;
  readonly #unknown = new Set<string>();

  /** `fromMs`: as old as entries are that stand first and have no time. */
  constructor(fromMs: number) {
    this.#atMs = fromMs;
  }

  /** `entries`: those that follow, parsed; what is no object is counted and left out. */
  add(entries: readonly unknown[]): void {
    for (const entry of entries) {
      if (isRecord(entry)) this.lines.push(this.#read(entry));
      else this.#none++;
    }
  }

  #read(entry: Readonly<Record<string, unknown>>): JournalLine {
    const ownMs = typeof entry.time === "string" ? Date.parse(entry.time) : Number.NaN;
    if (Number.isNaN(ownMs)) this.#timeless++;
    else {
      // The first one is placed by its own word.
      if (this.lines.length > 0) this.#apartMs = Math.max(this.#apartMs, this.#atMs - ownMs);
      this.#atMs = this.lines.length > 0 ? Math.max(this.#atMs, ownMs) : ownMs;
    }
    const kind = textOf(entry.kind) ?? "unknown";
    if (!kinds.has(kind)) this.#unknown.add(kind);
    return toLine(entry, kind, this.lines.length + 1, this.#atMs);
  }

  /** What is wrong with them, each a sentence. */
  notes(): readonly string[] {
    const notes: string[] = [];
    if (this.#none > 0) notes.push(`${this.#none} of the journal's lines cannot be read and are left out.`);
    if (this.#timeless > 0)
      notes.push(`${this.#timeless} of the journal's entries have no time; they are shown where they stand.`);
    if (this.#unknown.size > 0) {
      const names = [...this.#unknown].slice(0, 3).join(", ");
      notes.push(`The journal has entries of a kind that this version does not know (${names}); they are only listed.`);
    }
    if (this.#apartMs > clockMsMax) {
      const seconds = Math.round(this.#apartMs / 1000);
      notes.push(
        `Clocks were apart: an entry is dated ${seconds} s before the one it follows. Times around it are not exact.`,
      );
    }
    return notes;
  }
}

function toLine(entry: Readonly<Record<string, unknown>>, kind: string, seq: number, atMs: number): JournalLine {
  return {
    seq: typeof entry.seq === "number" && Number.isFinite(entry.seq) ? entry.seq : seq,
    atMs,
    time: textOf(entry.time) ?? "",
    kind,
    phase: textOf(entry.phase) ?? "unknown",
    node: textOf(entry.node) ?? null,
    text: textOf(entry.text) ?? "(an entry without words)",
    data: isRecord(entry.data) ? entry.data : {},
  };
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

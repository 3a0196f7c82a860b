// Counts what a plain dump of pg_dump holds while it streams by: rows of each table, and whether it came to its end.
import type { Rows } from "../database-copy.ts";

const newline = 0x0a;
/** The longest beginning of a line that matters: schema and table have up to 63 bytes each, quoted. */
const lineBytesMax = 400;
const copyPattern = /^COPY (?:(?:"(?:[^"]|"")+"|[^"\s.]+)\.)?("(?:[^"]|"")+"|[^"\s.]+) (?:\(.*)?/;

export class PgDumpReader {
  readonly #rows = new Map<string, number>();
  #complete = false;
  /** The table whose rows are being read; null outside of COPY. */
  #table: string | null = null;
  /** The beginning of the line that the last chunk ended in. */
  #line = Buffer.alloc(0);

  push(chunk: Uint8Array): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(newline, from);
      const part = chunk.subarray(from, Math.min(end < 0 ? chunk.length : end, from + lineBytesMax));
      const line = this.#line.length === 0 ? part : Buffer.concat([this.#line, part]);
      if (end < 0) {
        this.#line = Buffer.from(line.subarray(0, lineBytesMax));
        return;
      }
      this.#line = Buffer.alloc(0);
      this.#endLine(line);
      from = end + 1;
    }
  }

  /** Rows by table, tables without rows included. */
  get rows(): Rows {
    return Object.fromEntries([...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** The dump's own closing line was seen. */
  get complete(): boolean {
    return this.#complete;
  }

  #endLine(line: Uint8Array): void {
    if (this.#table !== null) {
      // A backslash and a dot end the rows; in values a backslash is doubled.
      if (line.length === 2 && line[0] === 0x5c && line[1] === 0x2e) this.#table = null;
      else this.#rows.set(this.#table, (this.#rows.get(this.#table) ?? 0) + 1);
      return;
    }
    const text = Buffer.from(line).toString("utf8");
    const name = copyPattern.exec(text)?.[1];
    if (name !== undefined) {
      this.#table = name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
      this.#rows.set(this.#table, 0);
    } else if (text === "-- PostgreSQL database dump complete") this.#complete = true;
  }
}

// Counts what an SQL dump of mysqldump or mariadb-dump holds while it streams by: rows of each table, and whether it came to its end.
// Used twice, on what is written and on what is read back.

const quote = 0x27;
const backslash = 0x5c;
const open = 0x28;
const close = 0x29;
const semicolon = 0x3b;
const newline = 0x0a;

/** The longest beginning of a line that matters: a table's name has up to 64 characters of up to 4 bytes. */
const lineBytesMax = 400;

export class SqlDumpReader {
  readonly #rows = new Map<string, number>();
  #complete = false;
  /** The statement being read is an INSERT into this table; null between and in other statements. */
  #table: string | null = null;
  #line: number[] = [];
  #inString = false;
  #escaped = false;
  #depth = 0;
  /** Within a trigger or routine, whose text may look like anything. */
  #inBody = false;

  push(chunk: Uint8Array): void {
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index] ?? 0;
      if (this.#table !== null) this.#readRows(byte, this.#table);
      else if (byte === newline) this.#endLine();
      else if (this.#line.length < lineBytesMax) {
        this.#line.push(byte);
        // `INSERT INTO ... VALUES`: what follows are rows, on this line or on the next ones.
        if (byte === 0x53 || byte === 0x20) this.#mayBegin();
      }
    }
  }

  /** Rows by table, tables without rows included. */
  get rows(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** The dump's own closing line was seen. */
  get complete(): boolean {
    return this.#complete;
  }

  #readRows(byte: number, table: string): void {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === backslash) this.#escaped = true;
      // A doubled quote ends the string and begins the next one, which comes to the same.
      else if (byte === quote) this.#inString = false;
    } else if (byte === quote) this.#inString = true;
    else if (byte === open) {
      if (this.#depth++ === 0) this.#rows.set(table, (this.#rows.get(table) ?? 0) + 1);
    } else if (byte === close) this.#depth--;
    else if (byte === semicolon && this.#depth === 0) this.#table = null;
  }

  #mayBegin(): void {
    if (this.#inBody) return;
    const line = Buffer.from(this.#line).toString("utf8");
    const name = /^INSERT INTO `((?:[^`]|``)+)`(?: \([^)]*\))? VALUES ?$/.exec(line)?.[1];
    if (name === undefined) return;
    this.#table = name.replaceAll("``", "`");
    this.#line = [];
  }

  #endLine(): void {
    const line = Buffer.from(this.#line).toString("utf8");
    this.#line = [];
    if (line.startsWith("DELIMITER ")) this.#inBody = line.trim() !== "DELIMITER ;";
    if (this.#inBody) return;
    const created = /^CREATE TABLE `((?:[^`]|``)+)` /.exec(line)?.[1];
    if (created !== undefined && !this.#rows.has(created)) this.#rows.set(created.replaceAll("``", "`"), 0);
    if (line.startsWith("-- Dump completed")) this.#complete = true;
  }
}

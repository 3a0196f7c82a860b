// Leaves lines of a dump out, or parts of them: what only its maker may say, or only another version of the server understands.
import { Transform } from "node:stream";

export type DumpClause = {
  /** With the line end before it: where no data can stand, since values have their line ends escaped. */
  readonly begin: string;
  /** Matched from the same line end on. Where it does not match after all, everything stays as it is. */
  readonly clause: RegExp;
  readonly instead: string;
};

/** More than the longest clause: names of 128 and 255 characters, quoted. */
const heldBack = 2_000;

export function filterDump(clauses: readonly DumpClause[]): Transform {
  let carried: Buffer = Buffer.alloc(0);
  const work = (bytes: Buffer, last: boolean): readonly Buffer[] => {
    const out: Buffer[] = [];
    const end = last ? bytes.length : Math.max(0, bytes.length - heldBack);
    let from = 0;
    for (;;) {
      const found = nextClause(clauses, bytes, from, end);
      if (!found) break;
      const text = bytes.toString("latin1", found.at, found.at + heldBack);
      const [matched = ""] = found.clause.exec(text) ?? [];
      out.push(bytes.subarray(from, found.at), Buffer.from(matched === "" ? "\n" : found.instead, "latin1"));
      from = found.at + (matched.length || 1);
    }
    const rest = Math.max(from, end);
    out.push(bytes.subarray(from, rest));
    carried = bytes.subarray(rest);
    return out;
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(null, Buffer.concat(work(Buffer.concat([carried, chunk]), false)));
    },
    flush(done) {
      done(null, Buffer.concat(work(carried, true)));
    },
  });
}

function nextClause(clauses: readonly DumpClause[], bytes: Buffer, from: number, end: number) {
  let first: (DumpClause & { readonly at: number }) | undefined;
  for (const clause of clauses) {
    const at = bytes.indexOf(clause.begin, from, "latin1");
    if (at >= 0 && at < end && (!first || at < first.at)) first = { ...clause, at };
  }
  return first;
}

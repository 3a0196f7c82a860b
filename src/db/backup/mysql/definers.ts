// Takes DEFINER out of a dump: creating a trigger, routine or view in another user's name needs a privilege that whoever restores seldom
// has, and the user may not exist there. Without it they belong to who restores.
import { Transform } from "node:stream";

/** At the beginning of a line, where no data can stand: the dump programs write line ends in values as \n. */
const clauses: readonly (readonly [begin: string, clause: RegExp, instead: string])[] = [
  [
    "\n/*!50003 CREATE*/ /*!50017 DEFINER=",
    /^\n\/\*!50003 CREATE\*\/ \/\*!50017 DEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*`\*\/ /,
    "\n/*!50003 CREATE*/ ",
  ],
  ["\nCREATE DEFINER=", /^\nCREATE DEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*` (?=PROCEDURE|FUNCTION)/, "\nCREATE "],
  ["\n/*!50013 DEFINER=", /^\n\/\*!50013 DEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*` /, "\n/*!50013 "],
];
/** More than the longest beginning and clause: names of 128 and 255 characters, quoted. */
const heldBack = 2_000;

export function withoutDefiners(): Transform {
  let carried: Buffer = Buffer.alloc(0);
  const work = (bytes: Buffer, last: boolean): readonly Buffer[] => {
    const out: Buffer[] = [];
    const end = last ? bytes.length : Math.max(0, bytes.length - heldBack);
    let from = 0;
    for (;;) {
      const found = nextClause(bytes, from, end);
      if (!found) break;
      const text = bytes.toString("latin1", found.at, found.at + heldBack);
      const [matched = ""] = found.clause.exec(text) ?? [];
      out.push(bytes.subarray(from, found.at));
      // A beginning that is no clause after all stays as it is.
      out.push(Buffer.from(matched === "" ? "\n" : found.instead, "latin1"));
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

function nextClause(bytes: Buffer, from: number, end: number) {
  let first: { at: number; clause: RegExp; instead: string } | undefined;
  for (const [begin, clause, instead] of clauses) {
    const at = bytes.indexOf(begin, from, "latin1");
    if (at >= 0 && at < end && (!first || at < first.at)) first = { at, clause, instead };
  }
  return first;
}

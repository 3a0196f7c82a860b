// Writes the `?` of our statements as the `$1`, `$2` ... that PostgreSQL's protocol wants, and leaves those in strings, quoted
// identifiers, dollar-quoted bodies and comments alone.

/** In this order: what may hold a `?` that is none, then the placeholder itself. The opening of a block comment is followed by hand. */
const pieces =
  /(?<!\w)[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w$])\$([A-Za-z_]\w*|)\$[\s\S]*?\$\1\$|--[^\n]*|\/\*|\?/g;

export function numberedPlaceholders(sql: string): string {
  let count = 0;
  let from = 0;
  let text = "";
  pieces.lastIndex = 0;
  for (let piece = pieces.exec(sql); piece; piece = pieces.exec(sql)) {
    if (piece[0] === "/*") pieces.lastIndex = endOfComment(sql, pieces.lastIndex);
    if (piece[0] !== "?") continue;
    text += `${sql.slice(from, piece.index)}$${++count}`;
    from = pieces.lastIndex;
  }
  return text + sql.slice(from);
}

/** Block comments nest. */
function endOfComment(sql: string, from: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = from;
  let depth = 1;
  for (let mark = marks.exec(sql); mark; mark = marks.exec(sql)) {
    depth += mark[0] === "/*" ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return sql.length;
}

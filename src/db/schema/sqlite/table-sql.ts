// Takes a CREATE TABLE statement apart at the commas of its outermost parentheses, and puts it together again.
import assert from "node:assert/strict";

/** The definitions of columns and constraints, trimmed, in order. Throws when the statement is not `CREATE TABLE name (...)`. */
export function definitionsOf(createSql: string): readonly string[] {
  const open = createSql.indexOf("(");
  const close = createSql.lastIndexOf(")");
  assert(open > 0 && close > open, `a CREATE TABLE statement: ${createSql}`);
  const parts: string[] = [];
  let depth = 0;
  let quote = "";
  let from = open + 1;
  for (let at = open + 1; at < close; at++) {
    const letter = createSql.charAt(at);
    if (quote) quote = letter === quote ? "" : quote;
    else if (letter === "'" || letter === '"' || letter === "`") quote = letter;
    else if (letter === "(") depth++;
    else if (letter === ")") depth--;
    else if (letter === "," && depth === 0) {
      parts.push(createSql.slice(from, at).trim());
      from = at + 1;
    }
  }
  parts.push(createSql.slice(from, close).trim());
  return parts;
}

export function createTableOf(name: string, definitions: readonly string[]): string {
  return `CREATE TABLE ${name} (\n  ${definitions.join(",\n  ")}\n)`;
}

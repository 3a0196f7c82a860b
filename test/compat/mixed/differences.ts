// The documented differences between the reference's answers and ours, read from the table of docs/mixed-fleet.md, and the comparison that
// lets pass what is in it and nothing else.
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { type Answer, type Asked, textOf } from "./exchange.ts";

const page = new URL("../../../docs/mixed-fleet.md", import.meta.url);

/** Of one pair of answers. */
const linesMax = 8;

/** A row: what of which calls' answers differs. `status` rows name both sides' status. */
export type Difference = {
  readonly call: string;
  readonly part: string;
  readonly theirs: string;
  readonly ours: string;
};

/** Throws where the page has no such table. */
export function documentedDifferences(): readonly Difference[] {
  const lines = readFileSync(page, "utf8").split("\n");
  const head = lines.findIndex((line) => /^\| Call \| Part \| Glance \| Perennial \|/.test(line));
  if (head < 0) throw new Error("docs/mixed-fleet.md has no table of differences");
  const rows = lines.slice(head + 2);
  const end = rows.findIndex((line) => !line.startsWith("|"));
  return rows.slice(0, end < 0 ? rows.length : end).map((row) => {
    const [call = "", part = "", theirs = "", ours = ""] = row
      .split("|")
      .slice(1)
      .map((cell) => cell.trim().replaceAll("`", ""));
    return { call, part, theirs, ours };
  });
}

export class Comparison {
  readonly #differences: readonly Difference[];
  /** Rows that were needed; a row that nothing needs any more is out of date. */
  readonly used = new Set<Difference>();

  constructor(differences: readonly Difference[] = documentedDifferences()) {
    this.#differences = differences;
  }

  /** Rows that no pair of answers needed so far, as they stand in the table. */
  unmet(): readonly string[] {
    return this.#differences
      .filter((row) => !this.used.has(row))
      .map(({ call, part, theirs, ours }) => [call, part, theirs, ours].join(" | "));
  }

  /** What differs and is not documented, a line for each; none where both say the same. */
  compare(asked: Asked, theirs: Answer, ours: Answer): readonly string[] {
    const rows = this.#differences.filter(({ call }) => matches(call, asked, theirs.status));
    if (theirs.status !== ours.status) {
      const row = rows.find(
        (one) => one.part === "status" && one.theirs === `${theirs.status}` && one.ours === `${ours.status}`,
      );
      if (row === undefined)
        return [`status: theirs ${theirs.status} ${short(theirs.body)}, ours ${ours.status} ${short(ours.body)}`];
      this.used.add(row);
      return [];
    }
    const sides = [theirs, ours].map((side) => structuredClone(side)) as [Answer, Answer];
    for (const row of rows) {
      const before = structuredClone(sides);
      for (const side of sides) level(side, row.part);
      if (!isDeepStrictEqual(before, sides) && !isDeepStrictEqual(before[0], before[1])) this.used.add(row);
    }
    const found = [...differing("", sides[0], sides[1])];
    return found.length > linesMax ? [...found.slice(0, linesMax), `and ${found.length - linesMax} more`] : found;
  }
}

/**
 * `METHOD /path/{name}`, with ` with BODY` behind it where only such bodies are meant; `any`, or `errors` for every answer of 400 and above.
 * `*` is any text in a path and in a body.
 */
function matches(call: string, { method, path, body }: Asked, status: number): boolean {
  if (call === "any") return true;
  if (call === "errors") return status >= 400;
  const [, verb = "", pathPattern = "", bodyPattern] = /^(\S+) (\S+)(?: with (.*))?$/.exec(call) ?? [];
  if (verb !== method) return false;
  const pathText = patternText(pathPattern).replaceAll(/\\\{\w+\\\}/g, "[^/?]+");
  if (!new RegExp(`^${pathText}(\\?.*)?$`).test(path)) return false;
  if (bodyPattern === undefined) return true;
  const sent = body === undefined || body instanceof Uint8Array ? "" : textOf(body);
  return new RegExp(`^${patternText(bodyPattern)}$`, "s").test(sent);
}

const patternText = (pattern: string) => pattern.replace(/[.+?^$()|[\]{}\\]/g, "\\$&").replaceAll("*", ".*");

/** Takes the part out of an answer, or, of `order`, puts the list there in an order of its own. `*` is any member, `**` any depth. */
function level(answer: Answer, part: string): void {
  const [what = "", where = ""] = part.split(" ");
  if (what === "text") untold(answer);
  else if (what === "header") delete (answer.headers as Record<string, string>)[where];
  else if (what === "body" || what === "order")
    at(answer, ["body", ...where.split("/").filter((name) => name !== "")], what);
}

/** An error in any of its forms without its sentences. */
function untold(answer: Answer): void {
  const held = answer as { body: unknown };
  if (typeof held.body === "string")
    held.body = held.body.replace(/(<\/h1>|^\d+ [\w ]+\n\n)[\s\S]*?(<\/body>|$)/, "$1$2");
  else at(answer, ["body", "message"], "body");
}

function at(holder: unknown, [name = "", ...rest]: readonly string[], what: "body" | "order"): void {
  if (typeof holder !== "object" || holder === null) return;
  const members = holder as Record<string, unknown>;
  if (name === "**") {
    for (const value of Object.values(members)) at(value, ["**", ...rest], what);
    at(holder, rest, what);
    return;
  }
  const names = name === "*" ? Object.keys(members) : Object.hasOwn(members, name) ? [name] : [];
  for (const one of names) {
    const value = members[one];
    if (rest.length > 0) at(value, rest, what);
    else if (what === "body") delete members[one];
    else if (Array.isArray(value)) value.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
}

function* differing(path: string, theirs: unknown, ours: unknown): Generator<string> {
  if (isDeepStrictEqual(theirs, ours)) return;
  if (isObject(theirs) && isObject(ours) && Array.isArray(theirs) === Array.isArray(ours)) {
    for (const name of new Set([...Object.keys(theirs), ...Object.keys(ours)]))
      yield* differing(`${path}/${name}`, theirs[name], ours[name]);
    return;
  }
  yield `${path}: theirs ${short(theirs)}, ours ${short(ours)}`;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const short = (value: unknown) => (JSON.stringify(value) ?? "nothing").slice(0, 300);

// The rule language of oslo.policy: `not` binds closest, then `and`, then `or`.
//
//   rule   = "" (everybody) | or
//   or     = and ("or" and)*
//   and    = not ("and" not)*
//   not    = "not" not | "(" or ")" | check
//
// Where the reference logs a rule it cannot read and lets it refuse everybody, this throws.
import { type Check, everyone, nobody } from "./check.ts";
import { parseCheck } from "./parse-check.ts";
import { RuleSyntaxError, type Token, tokensOf } from "./tokens.ts";

/** Deeper rules are no rules that somebody wrote; the bound keeps the evaluation's depth known. */
const depthMax = 100;

/** A rule as a file holds it: text, or the older list of alternatives, each a list of checks that must all hold. Throws RuleSyntaxError. */
export function parseRule(rule: unknown): Check {
  if (typeof rule === "string") return parseText(rule);
  if (Array.isArray(rule)) return parseLists(rule);
  throw new RuleSyntaxError("it is neither text nor a list", null);
}

function parseText(rule: string): Check {
  const tokens = tokensOf(rule);
  if (tokens.length === 0) return everyone;
  const reader = new RuleReader(tokens, rule.length + 1);
  const check = reader.alternatives(0);
  reader.end();
  return check;
}

class RuleReader {
  readonly #tokens: readonly Token[];
  readonly #endPosition: number;
  #next = 0;

  constructor(tokens: readonly Token[], endPosition: number) {
    this.#tokens = tokens;
    this.#endPosition = endPosition;
  }

  alternatives(depth: number): Check {
    return this.#joined("or", () => this.#joined("and", () => this.#operand(depth)));
  }

  end(): void {
    if (this.#next < this.#tokens.length) throw this.#unexpected("and, or or the end");
  }

  #joined(kind: "and" | "or", operand: () => Check): Check {
    const first = operand();
    const checks = [first];
    while (this.#take(kind)) checks.push(operand());
    return checks.length === 1 ? first : { kind, checks };
  }

  #operand(depth: number): Check {
    if (depth > depthMax)
      throw new RuleSyntaxError(`it is nested more than ${depthMax} deep`, this.#tokens[this.#next]?.position ?? null);
    if (this.#take("not")) return { kind: "not", check: this.#operand(depth + 1) };
    if (this.#take("(")) {
      const check = this.alternatives(depth + 1);
      if (!this.#take(")")) throw this.#unexpected("and, or or )");
      return check;
    }
    const token = this.#take("check");
    if (!token) throw this.#unexpected("a check, not or (");
    return parseCheck(token);
  }

  #take(kind: Token["kind"]): Token | undefined {
    const token = this.#tokens[this.#next];
    if (token?.kind !== kind) return undefined;
    this.#next++;
    return token;
  }

  #unexpected(wanted: string): RuleSyntaxError {
    const token = this.#tokens[this.#next];
    if (!token) return new RuleSyntaxError(`it ends where ${wanted} is expected`, this.#endPosition);
    return new RuleSyntaxError(`"${token.text}" where ${wanted} is expected`, token.position);
  }
}

/** An empty list lets everybody pass; empty lists inside are left out, and a list of nothing else lets nobody. */
function parseLists(alternatives: readonly unknown[]): Check {
  if (alternatives.length === 0) return everyone;
  const checks = alternatives
    .map((inner) => (Array.isArray(inner) ? inner : [inner]).map(parseItem))
    .filter((inner) => inner.length > 0)
    .map((inner): Check => (inner.length === 1 ? (inner[0] ?? nobody) : { kind: "and", checks: inner }));
  if (checks.length === 0) return nobody;
  return checks.length === 1 ? (checks[0] ?? nobody) : { kind: "or", checks };
}

function parseItem(item: unknown): Check {
  if (typeof item !== "string") throw new RuleSyntaxError("an item of the list is no text", null);
  return parseCheck({ text: item, position: 1 });
}

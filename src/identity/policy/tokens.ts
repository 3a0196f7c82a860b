// Cuts a rule into tokens. Blanks separate them, and parentheses count only at the ends of a word, because checks hold some themselves: `%(owner)s`.

export type Token = {
  readonly kind: "(" | ")" | "and" | "or" | "not" | "check";
  readonly text: string;
  /** Of its first character, from 1. */
  readonly position: number;
};

/** A rule that cannot be read; whoever knows its name and file makes an error for people of it. */
export class RuleSyntaxError extends Error {
  override readonly name = "RuleSyntaxError";
  /** From 1; null where the rule is no text. */
  readonly position: number | null;

  constructor(message: string, position: number | null) {
    super(message);
    this.position = position;
  }
}

export function tokensOf(rule: string): readonly Token[] {
  return [...rule.matchAll(/\S+/g)].flatMap((word) => wordTokens(word[0], word.index + 1));
}

function wordTokens(word: string, position: number): Token[] {
  const opening = /^\(*/.exec(word)?.[0].length ?? 0;
  const rest = word.slice(opening);
  const text = rest.replace(/\)+$/, "");
  const closing = rest.length - text.length;
  const tokens: Token[] = parentheses("(", opening, position);
  if (text !== "") tokens.push({ kind: wordKind(text), text, position: position + opening });
  return [...tokens, ...parentheses(")", closing, position + word.length - closing)];
}

function wordKind(text: string): Token["kind"] {
  const word = text.toLowerCase();
  return word === "and" || word === "or" || word === "not" ? word : "check";
}

function parentheses(kind: "(" | ")", count: number, position: number): Token[] {
  return Array.from({ length: count }, (_, index) => ({ kind, text: kind, position: position + index }));
}

// One check, `kind:match`, such as `role:member`, `project_id:%(owner)s` or `'public':%(visibility)s`.
import { type Check, everyone, nobody, type Template } from "./check.ts";
import { RuleSyntaxError, type Token } from "./tokens.ts";

/** Python's constants, as it writes them. */
const constants: ReadonlySet<string> = new Set(["True", "False", "None"]);

/** Throws RuleSyntaxError. */
export function parseCheck({ text, position }: Pick<Token, "text" | "position">): Check {
  if (text === "@") return everyone;
  if (text === "!") return nobody;
  const colon = text.indexOf(":");
  if (colon <= 0)
    throw new RuleSyntaxError(`"${text}" is no check: give kind:value, such as role:member, or @ or !`, position);
  const kind = text.slice(0, colon);
  const match = text.slice(colon + 1);
  if (kind === "http" || kind === "https")
    throw new RuleSyntaxError("checks that ask another service (http:, https:) are not supported", position);
  if (kind === "rule") return { kind, name: match };
  const template = parseTemplate(match, position + colon + 1);
  if (kind === "role") return { kind, role: template };
  const literal = literalOf(kind, position);
  if (literal !== null) return { kind: "literal", value: literal, text: template };
  // The reference knows no attribute of this name; operators who write it mean the roles of the service's own token.
  return { kind: "caller", attribute: kind === "service_role" ? "service_roles" : kind, text: template };
}

/** `'text'`, `"text"`, `True`, `None`, `7`: their value as text; null for the name of an attribute. */
function literalOf(kind: string, position: number): string | null {
  const quoted = /^(['"])(.*)\1$/.exec(kind);
  if (quoted) return quoted[2] ?? "";
  if (/^['"]/.test(kind)) throw new RuleSyntaxError(`${kind} has no closing quote`, position);
  return constants.has(kind) || /^-?\d+$/.test(kind) ? kind : null;
}

/** `%(name)s` is replaced, `%%` stands for `%`; Python's other conversions would fail at the first request, so they are refused here. */
function parseTemplate(text: string, position: number): Template {
  const parts: (string | { field: string })[] = [];
  let plain = "";
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== "%") {
      plain += text[at];
      continue;
    }
    const [whole = "", field] = /^%(?:%|\(([^()]+)\)s)/.exec(text.slice(at)) ?? [];
    if (whole === "") throw new RuleSyntaxError("a % must be %(name)s, or %% for itself", position + at);
    if (field === undefined) plain += "%";
    else {
      if (plain !== "") parts.push(plain);
      parts.push({ field });
      plain = "";
    }
    at += whole.length - 1;
  }
  return plain === "" ? parts : [...parts, plain];
}

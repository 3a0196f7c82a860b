// What a rule of the policy language is once it is read: a tree of checks.

/** Text with the places where attributes of the target go: `%(owner)s`. */
export type Template = readonly (string | { readonly field: string })[];

export type Check =
  | { readonly kind: "everyone" }
  | { readonly kind: "nobody" }
  | { readonly kind: "not"; readonly check: Check }
  | { readonly kind: "and" | "or"; readonly checks: readonly Check[] }
  | { readonly kind: "rule"; readonly name: string }
  | { readonly kind: "role"; readonly role: Template }
  /** An attribute of the caller, such as `project_id`, against a text. */
  | { readonly kind: "caller"; readonly attribute: string; readonly text: Template }
  /** A constant, such as `'public'`, against a text. */
  | { readonly kind: "literal"; readonly value: string; readonly text: Template };

export const everyone: Check = { kind: "everyone" };
export const nobody: Check = { kind: "nobody" };

/** Names of the rules that a check asks directly. */
export function rulesIn(check: Check): readonly string[] {
  switch (check.kind) {
    case "rule":
      return [check.name];
    case "not":
      return rulesIn(check.check);
    case "and":
    case "or":
      return check.checks.flatMap(rulesIn);
    default:
      return [];
  }
}

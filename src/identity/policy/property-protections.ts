// Who may do what with which custom properties: a file whose sections are regular expressions. The first one that is found in a property's
// name decides, and a name that none is found in is nobody's.
import type { Caller, PolicyTarget, PropertyAction, PropertyProtections } from "../../core/caller.ts";
import { ServiceError } from "../../core/errors.ts";
import { type ProtectionSection, propertyActions, readProtectionFile } from "./protection-file.ts";

type Permission = (caller: Caller) => boolean;
type Section = { readonly pattern: RegExp; readonly permissions: Readonly<Record<PropertyAction, Permission>> };

export type ProtectionOptions = {
  readonly file: string;
  readonly format: "roles" | "policies";
  readonly policy: { allows(rule: string, caller: Caller, target: PolicyTarget): boolean; has(rule: string): boolean };
  /** The service's own properties stay everybody's, whatever the file says. */
  readonly ownProperties: RegExp | null;
};

const everyone: Permission = () => true;
const nobody: Permission = () => false;

/** Throws config.invalid, naming file and line. */
export function openPropertyProtections(options: ProtectionOptions): PropertyProtections {
  const sections = readProtectionFile(options.file, options.format).map((section) => sectionOf(section, options));
  if (options.ownProperties) {
    const all = { create: everyone, read: everyone, update: everyone, delete: everyone };
    sections.unshift({ pattern: options.ownProperties, permissions: all });
  }
  // A list asks the same of every image; a caller is made anew for each request.
  const answers = new WeakMap<Caller, Map<string, boolean>>();
  return {
    allows(action, property, caller) {
      const known = answers.get(caller) ?? new Map<string, boolean>();
      answers.set(caller, known);
      const question = `${action} ${property}`;
      const before = known.get(question);
      if (before !== undefined) return before;
      const section = sections.find(({ pattern }) => pattern.test(property));
      const answer = section?.permissions[action](caller) ?? false;
      known.set(question, answer);
      return answer;
    },
  };
}

function sectionOf({ pattern, names, line }: ProtectionSection, options: ProtectionOptions): Section {
  if (options.format === "policies") {
    const unknown = Object.values(names)
      .flat()
      .find((name) => !/^[@!]$/.test(name) && !options.policy.has(name));
    // The default rule would decide, and it may let everybody pass.
    if (unknown !== undefined)
      throw new ServiceError(
        "config.invalid",
        `${options.file}, line ${line}: there is no rule ${unknown} in the policy`,
        {
          facts: { file: options.file, line, rule: unknown },
        },
      );
  }
  const permissions = propertyActions.map((action) => [action, permissionOf(names[action], options)] as const);
  return { pattern, permissions: Object.fromEntries(permissions) as Section["permissions"] };
}

function permissionOf(names: readonly string[], { format, policy }: ProtectionOptions): Permission {
  if (names.includes("!") || names.length === 0) return nobody;
  if (names.includes("@")) return everyone;
  if (format === "policies")
    return (caller) => names.every((rule) => policy.has(rule) && policy.allows(rule, caller, {}));
  const roles = new Set(names.map((role) => role.toLowerCase()));
  return (caller) => [...caller.roles, ...(caller.serviceRoles ?? [])].some((role) => roles.has(role));
}

// Decides a check for one caller and one target. Pure; rules that a check asks are looked up where its caller says.
import type { Caller, PolicyTarget } from "../../core/caller.ts";
import type { Check, Template } from "./check.ts";

export type Question = {
  readonly caller: Caller;
  readonly target: PolicyTarget;
  /** The rule of this name, or what stands for rules that do not exist; undefined: nobody may. Leads in no circle. */
  readonly rule: (name: string) => Check | undefined;
};

export function evaluate(check: Check, question: Question): boolean {
  switch (check.kind) {
    case "everyone":
      return true;
    case "nobody":
      return false;
    case "not":
      return !evaluate(check.check, question);
    case "and":
      return check.checks.every((one) => evaluate(one, question));
    case "or":
      return check.checks.some((one) => evaluate(one, question));
    case "rule": {
      const rule = question.rule(check.name);
      return rule !== undefined && evaluate(rule, question);
    }
    case "role": {
      const role = fill(check.role, question.target);
      return role !== undefined && question.caller.roles.includes(role.toLowerCase());
    }
    case "literal":
      return check.value === fill(check.text, question.target);
    case "caller": {
      const text = fill(check.text, question.target);
      return text !== undefined && holds(attributeOf(question.caller, check.attribute), text);
    }
  }
}

/** The text with the target's attributes in it; undefined where the target lacks one. Nothing is `None`, as Python writes it. */
function fill(template: Template, target: PolicyTarget): string | undefined {
  let text = "";
  for (const part of template) {
    if (typeof part === "string") text += part;
    else if (Object.hasOwn(target, part.field)) text += target[part.field] ?? "None";
    else return undefined;
  }
  return text;
}

/** What a caller does not have equals nothing: somebody without a project owns no image that has no owner. */
function holds(attribute: string | readonly string[] | null | undefined, text: string): boolean {
  if (attribute === null || attribute === undefined) return false;
  return typeof attribute === "string" ? attribute === text : attribute.includes(text);
}

/** The caller under the names that the reference gives to policies, older ones too. */
function attributeOf(caller: Caller, name: string): string | readonly string[] | null | undefined {
  switch (name) {
    case "user_id":
    case "user":
      return caller.userId;
    case "project_id":
    case "tenant":
    case "tenant_id":
      return caller.projectId;
    case "roles":
      return caller.roles;
    case "service_roles":
      return caller.serviceRoles;
    case "is_admin":
      return caller.isAdmin ? "True" : "False";
    case "system_scope":
    case "system":
      return caller.systemScope;
    case "domain_id":
    case "domain":
      return caller.domainId;
    case "user_domain_id":
    case "user_domain":
      return caller.userDomainId;
    case "project_domain_id":
    case "project_domain":
      return caller.projectDomainId;
    case "request_id":
      return caller.requestId;
    default:
      return undefined;
  }
}

// Makes the draft of a new image out of what a client sent: defaults of the release, values checked, quotas held.
import { randomUUID } from "node:crypto";
import type { Caller, Policy } from "../core/caller.ts";
import { ServiceError } from "../core/errors.ts";
import { forbidden, requireVisibilityAllowed } from "./access.ts";
import {
  type AttributeRules,
  checkGivenHash,
  checkRefused,
  isHash,
  isLink,
  isRefusedOnCreate,
  isWritableAttribute,
  parseAttribute,
  parseProperty,
} from "./attributes.ts";
import type { ImageDraft } from "./image.ts";
import { propertyProtected } from "./protected-properties.ts";
import { requirePropertyQuota, requireTagQuota } from "./quotas.ts";
import type { ImageAttributes, ImageServicesDeps } from "./services.ts";

type Rules = Pick<ImageServicesDeps, "capabilities" | "settings" | "policy" | "protections">;

/** Throws images.invalid, images.forbidden, images.over_limit. */
export function newImageDraft(caller: Caller, attributes: ImageAttributes, rules: Rules): ImageDraft {
  const { capabilities } = rules;
  const refused = new Set(Object.keys(attributes).filter((name) => isRefusedOnCreate(name, capabilities)));
  // As beside the reference: links are refused before any value is looked at, the other names after all of them were found right.
  refuse([...refused].filter(isLink));
  const missing = rules.settings.propertySchemas?.required.find((name) => !Object.hasOwn(attributes, name));
  if (missing !== undefined)
    throw new ServiceError("images.invalid", `Attribute ${missing}: every new image needs it.`, {
      facts: { attribute: missing },
    });
  const properties: [string, string | null][] = [];
  for (const [name, value] of Object.entries(attributes)) {
    if (refused.has(name)) checkRefused(name, value, capabilities);
    else if (isHash(name, capabilities)) checkGivenHash(name, value);
    else if (!isWritableAttribute(name, capabilities)) properties.push([name, parseProperty(name, value, rules)]);
  }
  const draft: ImageDraft = {
    id: given("id", attributes, rules) ?? randomUUID(),
    name: given("name", attributes, rules) ?? null,
    visibility: given("visibility", attributes, rules) ?? capabilities.visibilityDefault,
    protected: given("protected", attributes, rules) ?? false,
    hidden: (capabilities.hiding ? given("os_hidden", attributes, rules) : undefined) ?? false,
    owner: Object.hasOwn(attributes, "owner") ? parseAttribute("owner", attributes.owner, rules) : caller.projectId,
    containerFormat: given("container_format", attributes, rules) ?? null,
    diskFormat: given("disk_format", attributes, rules) ?? null,
    minDiskGb: given("min_disk", attributes, rules) ?? 0,
    minRamMb: given("min_ram", attributes, rules) ?? 0,
    tags: given("tags", attributes, rules) ?? [],
    // Not by assignment: a property may be called __proto__.
    properties: Object.fromEntries(properties),
  };
  refuse([...refused]);
  // Who may not is told so first, as by the reference, and not what else is wrong.
  if (!rules.policy.decidesOwnership) requireOwner(caller, draft.owner);
  requireAddAllowed(caller, draft, rules.policy);
  for (const [name] of properties)
    if (rules.protections && !rules.protections.allows("create", name, caller)) throw propertyProtected("create", name);
  requireTagQuota(draft.tags.length, rules.settings);
  requirePropertyQuota(properties.length, rules.settings);
  return draft;
}

function refuse([name]: readonly string[]): void {
  if (name !== undefined) throw forbidden(`Attribute ${name.slice(0, 80)} is set by the service alone.`);
}

function given<K extends Parameters<typeof parseAttribute>[0]>(
  name: K,
  attributes: ImageAttributes,
  rules: AttributeRules,
) {
  return Object.hasOwn(attributes, name) ? parseAttribute(name, attributes[name], rules) : undefined;
}

function requireOwner(caller: Caller, owner: string | null): void {
  if (caller.isAdmin) return;
  if (owner === null || owner !== caller.projectId)
    throw forbidden(`You may not create an image that belongs to project ${owner ?? "none"}.`);
}

function requireAddAllowed(caller: Caller, draft: ImageDraft, policy: Policy): void {
  const target = { owner: draft.owner, project_id: draft.owner, tenant: draft.owner, visibility: draft.visibility };
  if (!policy.allows("add_image", caller, target))
    throw new ServiceError("images.forbidden", "You may not create images: policy add_image.");
  requireVisibilityAllowed(policy, caller, draft.visibility, target);
}

// Turns what the schema validator found into the one line an operator reads: which path of the fleet file, and what is allowed there.
import type { ErrorObject } from "ajv";

/** `nodes[1].driver is "ssh"; allowed: local`. */
export function fleetProblem(error: ErrorObject): string {
  const path = dotted(error.instancePath);
  const params: Record<string, unknown> = error.params;
  switch (error.keyword) {
    case "additionalProperties":
      return `${join(path, String(params.additionalProperty))} is not known; allowed: ${allowedKeys(error)}`;
    case "required":
      return `${join(path, String(params.missingProperty))} is missing`;
    case "enum":
      return `${path} is ${shown(error.data)}; allowed: ${list(params.allowedValues)}`;
    case "const":
      return `${path} is ${shown(error.data)}; allowed: ${shown(params.allowedValue)}`;
    case "discriminator":
      return `${join(path, "driver")} is ${shown(params.tagValue)}; allowed: ${driverNames(error)}`;
    case "pattern":
      return `${path} is ${shown(error.data)}; allowed: ${describe(error) ?? `text matching ${String(params.pattern)}`}`;
    case "anyOf":
      return `${path} is ${shown(error.data)}; allowed: ${describe(error) ?? "something else"}`;
    case "type":
      return `${path || "the file"} is ${shown(error.data)}; allowed: ${article(String(params.type))}`;
    case "minProperties":
    case "maxProperties":
      return `${path} needs exactly one of: ${allowedKeys(error)}`;
    default:
      return `${path || "the file"} is ${shown(error.data)}; it ${error.message ?? "is not allowed"}`;
  }
}

/** `/nodes/1/driver` -> `nodes[1].driver`. */
function dotted(pointer: string): string {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : join(path, part)), "");
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

function allowedKeys(error: ErrorObject): string {
  const properties: unknown = error.parentSchema?.properties;
  return typeof properties === "object" && properties !== null ? Object.keys(properties).join(", ") : "nothing";
}

function driverNames(error: ErrorObject): string {
  const variants: unknown = error.parentSchema?.oneOf;
  if (!Array.isArray(variants)) return "nothing";
  return variants.map((variant) => String(variant?.properties?.driver?.const)).join(", ");
}

function describe(error: ErrorObject): string | undefined {
  const description: unknown = error.parentSchema?.description;
  return typeof description === "string" ? description : undefined;
}

function list(values: unknown): string {
  return Array.isArray(values) ? values.join(", ") : String(values);
}

function article(type: string): string {
  return type === "object" ? "a mapping (key: value)" : type === "array" ? "a list" : `a ${type}`;
}

/** A value as it stands in one line, cut short: it may be a whole subtree. */
function shown(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "empty";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

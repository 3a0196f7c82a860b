// The operator's schema-image.json: which custom properties are known, and what values they may have. Read once, at the start; where there is no
// such file, the properties that the reference ships it with are known (attributes.ts).
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { findBesideConfig } from "../core/config-files.ts";
import { errorText, ServiceError } from "../core/errors.ts";
import type { Capabilities } from "../releases/capabilities.ts";
import { isBaseAttribute } from "./attributes.ts";

type JsonObject = Readonly<Record<string, unknown>>;

export type PropertySchemas = {
  /** The known properties, as clients see them. */
  readonly documents: Readonly<Record<string, JsonObject>>;
  /** Attributes and properties without which no image is created. */
  readonly required: readonly string[];
  /** What is wrong with a value; null: nothing; undefined: the file does not know the property. */
  problem(name: string, value: unknown): string | null | undefined;
};

const fileName = "schema-image.json";
/** Formats are told, not checked, as in the reference; patterns are often written with more backslashes than Unicode's strictness allows. */
const ajvOptions = { strict: false, validateFormats: false, unicodeRegExp: false } as const;

/**
 * null where there is no file. Throws config.invalid, naming the file. That each schema is a JSON Schema in each detail is taken for
 * granted, for `checkPropertySchemas` sees to it when a node starts or reloads: JSON Schema's own schema takes 40 ms to compile, in each worker too.
 */
export function readPropertySchemas(
  configFiles: readonly string[],
  capabilities: Pick<Capabilities, "requiredProperties">,
): PropertySchemas | null {
  const file = findBesideConfig(fileName, configFiles);
  if (file === undefined) return null;
  const { properties, required } = readContents(file, capabilities);
  const taken = Object.keys(properties).find((name) => isBaseAttribute(name));
  if (taken !== undefined) throw invalid(file, `${taken} is an attribute of images and no property`);
  const ajv = new Ajv({ ...ajvOptions, validateSchema: false });
  const checks = new Map(
    Object.entries(properties).map(([name, schema]) => [name, asSchema({ file, name }, () => ajv.compile(schema))]),
  );
  return {
    documents: Object.fromEntries(
      Object.entries(properties).map(([name, schema]) => [name, { ...schema, is_base: false }]),
    ),
    required,
    problem(name, value) {
      const check = checks.get(name);
      if (!check) return undefined;
      return check(value) ? null : ajv.errorsText(check.errors, { dataVar: "it" });
    },
  };
}

/** Throws config.invalid, naming the file, where there is one that cannot be used. */
export function checkPropertySchemas(
  configFiles: readonly string[],
  capabilities: Pick<Capabilities, "requiredProperties">,
): void {
  const schemas = readPropertySchemas(configFiles, capabilities);
  const file = findBesideConfig(fileName, configFiles);
  if (schemas === null || file === undefined) return;
  const ajv = new Ajv(ajvOptions);
  for (const [name, schema] of Object.entries(schemas.documents))
    asSchema({ file, name }, () => ajv.validateSchema(schema, true));
}

/** Either every member describes a property, or `properties` holds these, and `required` names the ones that every image needs. */
function readContents(
  file: string,
  { requiredProperties }: Pick<Capabilities, "requiredProperties">,
): { readonly properties: Readonly<Record<string, JsonObject>>; readonly required: readonly string[] } {
  const contents = parsed(file);
  const { properties, required = [] } = contents;
  if (!Array.isArray(contents.required) && !areSchemas(properties))
    return { properties: schemasIn(file, contents), required: [] };
  if (!requiredProperties) throw invalid(file, '"properties" and "required" have a meaning from release 2026.1 on');
  if (!Array.isArray(required) || !required.every((name): name is string => typeof name === "string"))
    throw invalid(file, '"required" is no list of names');
  return { properties: schemasIn(file, properties ?? {}), required };
}

/** A property called "properties" is described by one schema, whose members are no objects alone. */
function areSchemas(value: unknown): value is Readonly<Record<string, JsonObject>> {
  return isObject(value) && Object.values(value).every((schema) => isObject(schema));
}

function schemasIn(file: string, value: unknown): Readonly<Record<string, JsonObject>> {
  if (areSchemas(value)) return value;
  const odd = isObject(value) ? Object.keys(value).find((name) => !isObject(value[name])) : undefined;
  throw invalid(file, odd === undefined ? '"properties" is no object' : `what it says of ${odd} is no object`);
}

function parsed(file: string): JsonObject {
  let contents: unknown;
  try {
    contents = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw invalid(file, errorText(error), error);
  }
  if (isObject(contents)) return contents;
  throw invalid(file, "it is no object");
}

function asSchema<T>({ file, name }: { file: string; name: string }, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw invalid(file, `what it says of ${name} is no JSON Schema: ${errorText(error)}`, error);
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(file: string, why: string, cause?: unknown): ServiceError {
  return new ServiceError("config.invalid", `${file} cannot be used: ${why}.`, { facts: { file }, cause });
}

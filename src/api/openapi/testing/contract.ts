// Holds answers against the API's description: whether the call may be answered so at all, and whether the body is what the description says.
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

type Media = Readonly<Record<string, { readonly schema?: Readonly<Record<string, unknown>> }>>;
type Reply = { readonly $ref?: string; readonly content?: Media };

export type DescribedParameter = {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly schema: Readonly<Record<string, unknown>>;
};

export type DescribedCall = {
  readonly operationId: string;
  readonly parameters?: readonly DescribedParameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Media };
  readonly responses: Readonly<Record<string, Reply>>;
  readonly security?: readonly unknown[];
};

export type Description = {
  readonly openapi: string;
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedCall>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
    readonly responses: Readonly<Record<string, Reply>>;
  };
};

export type GivenAnswer = { readonly status: number; readonly contentType: string; readonly body: string };

const root = "openapi";

export class Contract {
  readonly #description: Description;
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: false });
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor(description: Description) {
    this.#description = description;
    this.#ajv.addSchema(description, root);
  }

  /** What is wrong with the answer; null: nothing. `path` as the description writes it. */
  mistake(method: string, path: string, answer: GivenAnswer): string | null {
    const { status, body } = answer;
    const reply = this.#description.paths[path]?.[method.toLowerCase()]?.responses[status];
    if (!reply) return `${status} is not described`;
    const name = reply.$ref?.split("/").at(-1);
    const { content } = name === undefined ? reply : (this.#description.components.responses[name] ?? {});
    if (!content) return body === "" ? null : "a body where none is described";
    const type = answer.contentType.split(";")[0] ?? "";
    const media = content[type];
    if (!media) return `${type || "no type"} is not described`;
    return media.schema && type === "application/json" ? this.#mistakeOf(media.schema, body) : null;
  }

  #mistakeOf(schema: object, body: string): string | null {
    const key = JSON.stringify(schema);
    const validate = this.#compiled.get(key) ?? this.#ajv.compile(inRoot(schema));
    this.#compiled.set(key, validate);
    let value: unknown;
    try {
      value = JSON.parse(body);
    } catch {
      return "the body is not JSON";
    }
    return validate(value) ? null : this.#ajv.errorsText(validate.errors);
  }
}

/** A reference into the description, read from outside it. */
function inRoot(schema: object): object {
  return "$ref" in schema && typeof schema.$ref === "string" ? { $ref: `${root}${schema.$ref}` } : schema;
}

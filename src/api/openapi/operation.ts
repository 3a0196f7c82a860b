// What the API's description says of one call beyond its path: facts for people and generators, which the table of routes does not need to serve it.

/** JSON Schema, 2020-12. */
export type Schema = Readonly<Record<string, unknown>>;

export type Parameter = { readonly name: string; readonly schema: Schema; readonly description: string };

/** The body of an answer: a schema of JSON, what there is by media type, or nothing. */
export type AnswerBody = Schema | { readonly forms: Readonly<Record<string, Schema>> } | null;

export type Operation = {
  /** For generated clients; no two calls have the same. */
  readonly id: string;
  readonly summary: string;
  readonly query?: readonly Parameter[];
  readonly headers?: readonly Parameter[];
  /** Schemas by media type. */
  readonly body?: Readonly<Record<string, Schema>>;
  /** What a call that went well is answered, by status. */
  readonly answers: Readonly<Record<number, AnswerBody>>;
  /** Statuses of refusals beside those that every call may get. */
  readonly errors?: readonly number[];
};

/** By method and path below /v2, as in the table of routes: `GET /images/:imageId`. */
export type Operations = Readonly<Record<string, Operation>>;

export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
export const text: Schema = { type: "string" };
export const whole: Schema = { type: "integer", minimum: 0 };
export const oneOf = (...values: readonly string[]): Schema => ({ type: "string", enum: values });
export const listOf = (items: Schema): Schema => ({ type: "array", items });

/** An object; members are optional where `required` does not name them. */
export function object(properties: Readonly<Record<string, Schema>>, ...required: readonly string[]): Schema {
  return { type: "object", properties, ...(required.length > 0 ? { required } : {}) };
}

export const json = (schema: Schema) => ({ "application/json": schema });
/** Anything of this media type. */
export const anything = (mediaType: string) => ({ forms: { [mediaType]: {} } });
export const bytes = { "application/octet-stream": {} } as const;

export function parameter(name: string, schema: Schema, description: string): Parameter {
  return { name, schema, description };
}

// Pieces of JSON Schema that several parts of the fleet file's shape are made of.
export const text = { type: "string", minLength: 1 } as const;

export const address = {
  type: "string",
  pattern: "^([A-Za-z0-9._-]+|\\[[0-9a-fA-F:.]+\\]):[0-9]{1,5}$",
  description: "host:port",
} as const;

/** A command as its words: no shell reads it. */
export const words = { type: "array", items: text, minItems: 1 } as const;

export const seconds = (minimum: number, fallback: number) => ({
  type: "number",
  minimum,
  maximum: 2_592_000,
  default: fallback,
});

// JSON whose numbers stay as they were written: 9223372036854775807 as a maximum, or 1.0 as a default, would come out of a JavaScript
// number as something else. Such a number is kept as raw JSON, which JSON.stringify and jsonText write as it is.

type RawJson = { readonly rawJSON: string };

declare global {
  // Of ECMAScript 2026, which TypeScript's libraries do not declare yet.
  interface JSON {
    rawJSON(text: string): RawJson;
    isRawJSON(value: unknown): value is RawJson;
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown;
  }
}

/** Throws SyntaxError. */
export function parseExactJson(text: string): unknown {
  return JSON.parse(text, (_key: string, value: unknown, { source }: { readonly source?: string }) =>
    typeof value === "number" && source !== undefined && String(value) !== source ? JSON.rawJSON(source) : value,
  );
}

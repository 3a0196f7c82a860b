// JSON as Glance writes it into text columns, and as its data migrations search for it: a blank after each comma and colon, ASCII only.

/** Raw JSON (core/exact-json.ts) is written as it is. */
export function jsonText(value: unknown): string {
  if (JSON.isRawJSON(value)) return value.rawJSON;
  if (Array.isArray(value)) return `[${value.map(jsonText).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${members.map(([key, member]) => `${scalar(key)}: ${jsonText(member)}`).join(", ")}}`;
  }
  return scalar(value);
}

function scalar(value: unknown): string {
  const json = JSON.stringify(value) ?? "null";
  return json.replaceAll(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

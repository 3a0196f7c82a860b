// HTML as a template that escapes: whatever is put in is text, unless this template made it. Names of nodes and images come from people
// who may not mean well.

export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = Html | string | number | null | undefined | false | readonly Part[];

/** Nothing is written for null, undefined and false. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const text = strings.reduce(
    (sum, string, index) => sum + string + (index < parts.length ? textOf(parts[index]) : ""),
    "",
  );
  return new Html(text);
}

function textOf(part: Part): string {
  if (part === null || part === undefined || part === false) return "";
  if (part instanceof Html) return part.text;
  if (Array.isArray(part)) return part.map(textOf).join("");
  return escapeText(String(part));
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Also of use in attributes in quotes. Characters that turn the direction of text or are no characters are shown as such. */
export function escapeText(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? "").replaceAll(/[^\P{C}\n\t]/gu, "\u{fffd}");
}

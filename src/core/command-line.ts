// A command line in one text, as configuration files have it: blanks separate, double quotes keep together, and inside of them a
// backslash takes the next character as it is. No shell is involved.

/** Program and arguments; empty where there is none. */
export function splitCommand(text: string): readonly string[] {
  const words = text.matchAll(/(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+/g);
  return [...words].map(([word]) =>
    word.replace(/"((?:[^"\\]|\\.)*)"?/g, (_, quoted: string) => quoted.replace(/\\(.)/g, "$1")),
  );
}

/** What `splitCommand` takes apart again. */
export function joinCommand(words: readonly string[]): string {
  return words.map((word) => (/^[^\s"]+$/.test(word) ? word : `"${word.replace(/["\\]/g, "\\$&")}"`)).join(" ");
}

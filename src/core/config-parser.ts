// Reads the INI dialect of oslo.config into entries, one per assignment, without knowing which options exist:
// what they mean is for config.ts. Messages never show a line's text, for it may hold a password.
import { readFileSync } from "node:fs";
import { errorText, ServiceError } from "./errors.ts";

/** One assignment, as it stands in a file. */
export type ConfigEntry = {
  readonly section: string;
  /** With `_` for `-`. */
  readonly option: string;
  /** The option as it stands in the file. */
  readonly written: string;
  /** Continuation lines joined by line breaks; one pair of quotes around a one-line value is taken off. */
  readonly value: string;
  readonly file: string;
  readonly line: number;
};

/** The text of one file. Throws config.invalid where it is missing, unreadable or not UTF-8. */
export function readConfigText(file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    throw new ServiceError("config.invalid", `cannot read the configuration file ${file}: ${errorText(error)}`, {
      facts: { file },
      cause: error,
    });
  }
}

/** `file` is named in errors. Throws config.invalid with the line's number. */
export function parseConfig(text: string, file: string): readonly ConfigEntry[] {
  const entries: ConfigEntry[] = [];
  let section: string | null = null;
  // Lines of an assignment are joined only after its last one was seen.
  let open: { written: string; lines: string[]; line: number } | null = null;
  const close = () => {
    if (open && section !== null)
      entries.push({
        section,
        option: canonicalOption(open.written),
        written: open.written,
        value: open.lines.join("\n").trim(),
        file,
        line: open.line,
      });
    open = null;
  };
  const refuse = (line: number, why: string): never => {
    throw new ServiceError("config.invalid", `${file}, line ${line}: ${why}`, { facts: { file, line } });
  };

  for (const [index, raw] of text.split(/\r\n|\r|\n/).entries()) {
    const number = index + 1;
    const line = raw.trimEnd();
    if (line === "") {
      close();
    } else if (/^[ \t]/.test(line)) {
      // Whatever it begins with: an indented `#` line belongs to the value, as oslo.config has it.
      if (!open) refuse(number, "a continuation line (it begins with a blank) follows no assignment");
      else open.lines.push(line.trimStart());
    } else if (line.startsWith("#") || line.startsWith(";")) {
      close();
    } else if (line.startsWith("[")) {
      close();
      if (!line.endsWith("]") || line.length <= 2) refuse(number, "a section is written [name]");
      section = canonicalSection(line.slice(1, -1));
    } else {
      close();
      const separator = line.search(/[=:]/);
      if (separator < 0) refuse(number, "an option is written `name = value`");
      const written = line.slice(0, separator).trim();
      if (written === "") refuse(number, "the name of the option is missing");
      if (section === null) refuse(number, "an option stands before the first [section]");
      open = { written, lines: [unquote(line.slice(separator + 1).trim())], line: number };
    }
  }
  close();
  return entries;
}

/** Section names count without their case, save that DEFAULT is written in capitals. */
export function canonicalSection(name: string): string {
  return name.toUpperCase() === "DEFAULT" ? "DEFAULT" : name.toLowerCase();
}

export function canonicalOption(name: string): string {
  return name.replaceAll("-", "_");
}

function unquote(value: string): string {
  const quoted = value.length >= 2 && (value[0] === '"' || value[0] === "'") && value.at(-1) === value[0];
  return quoted ? value.slice(1, -1) : value;
}

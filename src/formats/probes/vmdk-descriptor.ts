// The text inside a VMDK that says of what kind it is and which extents make up the disk. Readers search it in different ways (some take a
// key that stands in a comment), so what could be read in two ways is a finding.
import type { Report } from "../probe.ts";

const noParent = "ffffffff";
/** A name of another directory, or one that the operating system or QEMU takes for more than a name. */
const unsafeName = /[/\\:]/;

/** Text that readers take for a descriptor: after comments and blank lines its first line gives a version. */
export function isDescriptorText(text: string): boolean {
  if (/^# *disk *descriptorfile/i.test(text)) return true;
  const line = text.split("\n").find((candidate) => !/^(#| *\r?$)/.test(candidate));
  return line !== undefined && /^version=[123]\r?$/.test(line);
}

export function checkDescriptor(report: Report, bytes: Buffer, typesAllowed: readonly string[]): void {
  const end = bytes.indexOf(0);
  const text = bytes.toString("latin1", 0, end === -1 ? bytes.length : end);
  checkType(report, text, typesAllowed);
  checkParent(report, text);
  checkExtents(report, text);
}

/** The quoted or bare values of a key, wherever it stands. */
const valuesOf = (text: string, key: string): readonly string[] =>
  [...text.matchAll(new RegExp(`${key}[ \\t]{0,8}=[ \\t]{0,8}"?([^"\\r\\n]{0,200})`, "gi"))].map(([, value = ""]) =>
    value.trim(),
  );

function checkType(report: Report, text: string, allowed: readonly string[]): void {
  const [type, ...more] = valuesOf(text, "createType");
  if (type === undefined || more.length > 0) report.find("type", "has no createType, or several");
  else if (!allowed.includes(type))
    report.find("type", `is of createType ${quoted(type)}, which vmdk_allowed_types does not list`);
}

function checkParent(report: Report, text: string): void {
  const parents = valuesOf(text, "parentCID").filter((value) => value.toLowerCase() !== noParent);
  if (parents.length > 0 || valuesOf(text, "parentFileNameHint").length > 0)
    report.find("backing_file", "is the difference to a parent disk");
}

function checkExtents(report: Report, text: string): void {
  const extents = text.split(/[\r\n]/).filter((line) => /^\s*(RW|RDONLY|NOACCESS)\s/i.test(line));
  if (extents.length !== 1) {
    report.find("extents", `lists ${extents.length} extents, not one`);
    return;
  }
  const [, kind = "", name] = /^\s*\w+\s+\d+\s+(\w+)\s+"([^"]*)"\s*$/.exec(extents[0] ?? "") ?? [];
  if (name === undefined || kind !== "SPARSE") report.find("extents", "has an extent that is not sparse");
  else if (name === "" || unsafeName.test(name))
    report.find("extents", `has an extent that names a file (${quoted(name)})`);
}

/** For a text of ours: short, and without what a terminal would take for an order. */
const quoted = (text: string): string => JSON.stringify(text.slice(0, 60).replace(/[^\x20-\x7e]/g, "?"));

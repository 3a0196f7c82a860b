// What the local driver reads and writes of a node's glance-api.conf: the release it runs as, and where its process id stands.
// Everything else in the file, comments included, stays as the operator wrote it.
import { canonicalSection, parseConfig, readConfigText } from "../../../core/config-parser.ts";
import { errorText, ServiceError } from "../../../core/errors.ts";
import { isReleaseId, newestRelease, type ReleaseId, releaseIds } from "../../../releases/catalogue.ts";
import { replaceFile } from "../../replace-file.ts";

const section = "perennial";

export type NodeConfig = { readonly release: ReleaseId; readonly pidFile: string | null };

/** Throws config.invalid where the file cannot be read, or names a release that is none. */
export function readNodeConfig(file: string): NodeConfig {
  return nodeConfigOf(readConfigText(file), file);
}

/** The same of the file's text. */
export function nodeConfigOf(text: string, file: string): NodeConfig {
  const entries = parseConfig(text, file).filter((entry) => entry.section === section);
  const last = (option: string) => entries.findLast((entry) => entry.option === option);
  const release = last("release");
  if (release && !isReleaseId(release.value)) {
    const allowed = releaseIds.join(", ");
    const message = `${file}, line ${release.line}: [perennial] release: ${JSON.stringify(release.value)} is not allowed; allowed: ${allowed}`;
    throw new ServiceError("config.invalid", message, { facts: { file, line: release.line } });
  }
  return {
    release: release && isReleaseId(release.value) ? release.value : newestRelease.id,
    pidFile: last("pid_file")?.value || null,
  };
}

/** What the driver sets: release, and how a new process is started where that is not as this one was. */
export type NodeOptions = { readonly release: ReleaseId; readonly handover_command?: string };

/** The text with these options of `[perennial]` set: changed where they stand, else added to the section, else with the section. */
export function withOptions(text: string, file: string, options: NodeOptions): string {
  return Object.entries(options).reduce((sofar, [option, value]) => withOption(sofar, file, option, value), text);
}

function withOption(text: string, file: string, option: string, value: string): string {
  const end = text.includes("\r\n") ? "\r\n" : "\n";
  const lines = text.split(/\r\n|\r|\n/);
  const assignment = `${option} = ${value}`;
  const entry = parseConfig(text, file).findLast((one) => one.section === section && one.option === option);
  if (entry) {
    lines[entry.line - 1] = assignment;
    // Continuation lines were a part of the old value.
    while (/^[ \t]+\S/.test(lines[entry.line] ?? "")) lines.splice(entry.line, 1);
    return lines.join(end);
  }
  const header = lines.findLastIndex((line) => {
    const name = /^\[(.+)\]\s*$/.exec(line)?.[1];
    return name !== undefined && canonicalSection(name) === section;
  });
  if (header >= 0) lines.splice(header + 1, 0, assignment);
  else {
    while (lines.at(-1) === "") lines.pop();
    lines.push("", `[${section}]`, assignment, "");
  }
  return lines.join(end);
}

/** Throws rollout.driver_failed where the file cannot be written. */
export async function writeNodeOptions(file: string, options: NodeOptions): Promise<void> {
  const text = withOptions(readConfigText(file), file, options);
  try {
    await replaceFile(file, text);
  } catch (error) {
    const message = `cannot write ${file}: ${errorText(error)}; make it writable for glance-rollout`;
    throw new ServiceError("rollout.driver_failed", message, { facts: { file }, cause: error });
  }
}

// A server that glance-control starts and signals: where its pid file is, and which process that file means. A process counts only while it is
// older than the file and one of ours by its command line: an id that was given out again belongs to somebody else, who is never signalled.

import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { type Config, loadConfig } from "../core/config.ts";
import { findConfigFiles } from "../core/config-files.ts";
import { errorText } from "../core/errors.ts";
import { commandScript } from "../core/package-files.ts";
import { findProcess, type ProcessView } from "../core/process-table.ts";
import { readNodeSettings } from "../node/node-settings.ts";
import { configuration } from "./wire-options.ts";

export const serverNames = ["glance-api", "glance-scrubber"] as const;
export type ServerName = (typeof serverNames)[number];

/** How far the process table's start times and the file system's clock may differ. */
const clockSlackMs = 2_000;

/** Something an operator has to see to; its text is the whole story. */
export class Refused extends Error {}

export type ServerState =
  | { readonly state: "stopped" }
  | { readonly state: "running" | "stopping"; readonly process: ProcessView }
  /** Not of ours, but what the file was meant for, such as Glance's own. */
  | { readonly state: "foreign"; readonly process: ProcessView };

export class ControlledServer {
  readonly name: ServerName;
  readonly pidFile: string;
  readonly #configFile: string | undefined;

  /** Throws config.invalid where the pid file is to be learnt from a configuration that cannot be used. */
  constructor(name: ServerName, options: { pidFile: string | undefined; configFile: string | undefined }) {
    this.name = name;
    this.#configFile = options.configFile === undefined ? undefined : resolve(options.configFile);
    const configured = () => (name === "glance-api" ? readNodeSettings(this.readConfig()).pidFile : null);
    this.pidFile = resolve(options.pidFile ?? configured() ?? `/run/glance/${name}.pid`);
  }

  /** What the server will read. Throws config.invalid. */
  readConfig(): Config {
    const files = findConfigFiles(this.name, this.#configFile === undefined ? [] : [this.#configFile], []);
    return loadConfig({ files, ...configuration });
  }

  /** The words that start it. */
  get command(): readonly string[] {
    const config = this.#configFile === undefined ? [] : ["--config-file", this.#configFile];
    const own = this.name === "glance-api" ? ["--pid-file", this.pidFile] : ["--daemon"];
    return [process.execPath, commandScript(this.name), ...config, ...own];
  }

  find(): ServerState {
    const named = this.#read();
    const process = named && findProcess(named.pid);
    if (!process || process.startedMs > named.writtenMs + clockSlackMs) return { state: "stopped" };
    const words = commandLine(process.pid);
    if (isOurs(words, this.name)) return { state: this.#stopMark() === process.id ? "stopping" : "running", process };
    return words.some((word) => word.includes(this.name)) ? { state: "foreign", process } : { state: "stopped" };
  }

  /** Once: a second TERM would cut what the first one lets be finished. */
  stop(process: ProcessView): void {
    try {
      writeFileSync(this.#markFile, process.id);
    } catch (error) {
      throw new Refused(
        `${this.#markFile} cannot be written (${errorText(error)}); run it as root or as the server's user`,
      );
    }
    try {
      this.signal(process, "SIGTERM");
    } catch (error) {
      rmSync(this.#markFile, { force: true });
      throw error;
    }
  }

  signal({ pid }: ProcessView, name: NodeJS.Signals): void {
    try {
      process.kill(pid, name);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ESRCH") return;
      throw new Refused(
        `${this.name} (pid ${pid}) cannot be signalled (${errorText(error)}); run it as root or as the server's user`,
      );
    }
  }

  /** Whether there was anything. Of a server that does not live any more. */
  clear(): boolean {
    rmSync(this.#markFile, { force: true });
    const left = this.#read() !== undefined;
    rmSync(this.pidFile, { force: true });
    return left;
  }

  lives(process: ProcessView): boolean {
    return findProcess(process.pid)?.id === process.id;
  }

  /** Whether it was told to stop since it was started. */
  wasStopped(): boolean {
    return this.#stopMark() !== undefined;
  }

  get #markFile(): string {
    return `${this.pidFile}.stopping`;
  }

  /** The process that was told to stop. */
  #stopMark(): string | undefined {
    return unlessMissing(() => readFileSync(this.#markFile, "utf8"));
  }

  #read(): { pid: number; writtenMs: number } | undefined {
    return unlessMissing(() => {
      const writtenMs = statSync(this.pidFile).mtimeMs;
      const pid = Number(readFileSync(this.pidFile, "utf8").trim());
      return { pid: Number.isSafeInteger(pid) && pid > 1 ? pid : 0, writtenMs };
    });
  }
}

function commandLine(pid: number): readonly string[] {
  return unlessMissing(() => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")) ?? [];
}

/** A node's first process calls itself so; before it does, and in a scrubber, the runtime runs a file of that name. */
function isOurs([program = "", ...args]: readonly string[], name: ServerName): boolean {
  if (program.startsWith(`${name}: supervisor`)) return true;
  const files = args.map((word) => basename(word));
  return basename(program) === basename(process.execPath) && (files.includes(name) || files.includes(`${name}.js`));
}

function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH"))
      return undefined;
    throw new Refused(errorText(error));
  }
}

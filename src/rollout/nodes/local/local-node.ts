// The node driver `local`: nodes are processes on this machine, each with a folder and a glance-api.conf of its own. A node is upgraded
// by stopping it, setting its release (and so its package), and starting it in a session of its own, so that it outlives the rollout.
//
// A process is found by its pid file, which counts only while the process it names is older than the file: an id that was given out
// again belongs to a younger one. That it was told to stop is written down before it is, for telling it twice would cut its transfers.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join, resolve } from "node:path";
import type { Clock } from "../../../core/clock.ts";
import { joinCommand } from "../../../core/command-line.ts";
import { errorText, ServiceError } from "../../../core/errors.ts";
import { readHandOverNote, removeHandOverNote } from "../../../core/hand-over-note.ts";
import { packageRoot } from "../../../core/package-files.ts";
import { catchesSignal, findProcess, type ProcessView, processGroup } from "../../../core/process-table.ts";
import { givesWayVariable } from "../../../core/session-share.ts";
import type { NodeDriver, NodeObservation } from "../node-driver.ts";
import type { LocalNodeAt } from "../node-schemas.ts";
import { lastLogLine } from "./last-log-line.ts";
import { readNodeConfig, writeNodeOptions } from "./node-config.ts";

/** How far the process table's start times and the file system's clock may differ. */
const clockSlackMs = 2_000;
/** From the signal to cut, until the process is ended by force. */
const cutGraceMsMax = 15_000;
const endMsMax = 10_000;
const appearMsMax = 10_000;
const pollMs = 20;
/** A node gives its new process two minutes by default; whoever asks has a limit of their own. */
const handOverMsMax = 3_600_000;
/** From the end of a child to the event of it; a busy event loop takes its time. */
const collectMsMax = 2_000;

/**
 * The shell notes its own process id before it becomes the node: at no moment does a node run that nobody can find. Into the usual class of the
 * scheduler first: a rollout may have been begun in the idle one (`chrt --idle 0 glance-rollout`), in which its nodes would serve ever after.
 */
const launchScript = `echo "$$" > "$0.new" && mv "$0.new" "$0" && { chrt --other --pid 0 "$$" 2>/dev/null || :; } && exec "$@"`;

/** `sent`: false between noting the signal and having sent it. */
type StopMark = { readonly id: string; readonly atMs: number; readonly sent: boolean };

export function createLocalNode(node: LocalNodeAt, clock: Clock): NodeDriver {
  return new LocalNode(node, clock);
}

class LocalNode implements NodeDriver {
  readonly #node: LocalNodeAt;
  readonly #clock: Clock;
  #child: ChildProcess | null = null;
  #exit: string | null = null;
  /** When workers were first seen without their supervisor. */
  #orphansSinceMs: number | null = null;

  constructor(node: LocalNodeAt, clock: Clock) {
    this.#node = node;
    this.#clock = clock;
  }

  async observe(): Promise<NodeObservation> {
    const { release: configRelease, pidFile } = readNodeConfig(this.#node.config);
    const found = this.#find();
    if (found.leader) {
      this.#orphansSinceMs = null;
      const mark = this.#stopMark();
      const stopping = mark?.id === found.leader.id;
      // Without a pid file of its own the node could not tell which process it is afterwards.
      const able = catchesSignal(found.leader.pid, constants.signals.SIGUSR2);
      const lacks = pidFile === null ? "[perennial] pid_file" : able ? null : "a running package that knows hand-overs";
      const sinceMs = stopping && mark ? mark.atMs : found.leader.startedMs;
      return {
        configRelease,
        process: stopping ? "stopping" : "running",
        stopUnsure: stopping && mark?.sent === false,
        processId: found.leader.id,
        pid: found.leader.pid,
        processMs: Math.max(0, this.#clock.nowMs() - sinceMs),
        lastWords: null,
        handsOver: lacks === null,
        ...(lacks !== null && { handOverLacks: lacks }),
      };
    }
    if (found.orphans.length > 0) {
      this.#orphansSinceMs ??= this.#clock.nowMs();
      return {
        configRelease,
        process: "stopping",
        stopUnsure: false,
        processId: `orphans of ${found.pid}`,
        pid: found.pid,
        processMs: this.#clock.nowMs() - this.#orphansSinceMs,
        lastWords: null,
      };
    }
    this.#orphansSinceMs = null;
    await this.#collected();
    const line = lastLogLine(this.#logFile());
    const lastWords = this.#exit === null ? line : [this.#exit, line].filter(Boolean).join(": ");
    return { configRelease, process: "gone", stopUnsure: false, processId: null, pid: null, processMs: 0, lastWords };
  }

  /** A child of ours that /proc shows as ended is about to be told to us with its exit code. */
  async #collected(): Promise<void> {
    const child = this.#child;
    if (!child?.pid || this.#exit !== null || findProcess(child.pid)) return;
    const heard = new AbortController();
    const exited = once(child, "exit", { signal: heard.signal }).catch(() => undefined);
    await Promise.race([exited, this.#clock.sleep(collectMsMax, heard.signal).catch(() => undefined)]);
    heard.abort();
  }

  async stop(): Promise<void> {
    const { leader } = this.#find();
    const before = this.#stopMark();
    if (!leader || (before?.id === leader.id && before.sent)) return;
    const mark = { id: leader.id, atMs: this.#clock.nowMs() };
    this.#writeStopMark({ ...mark, sent: false });
    this.#signal(leader.pid, "SIGTERM");
    this.#writeStopMark({ ...mark, sent: true });
  }

  async cut(signal: AbortSignal): Promise<void> {
    const { leader, orphans, pid } = this.#find();
    if (leader) {
      this.#signal(leader.pid, "SIGQUIT");
      if (await this.#gone(cutGraceMsMax, signal)) return;
    }
    const ownGroup = leader ? leader.groupId === leader.pid : orphans.length > 0;
    if (ownGroup && pid !== null) this.#signal(-pid, "SIGKILL");
    else if (leader) this.#signal(leader.pid, "SIGKILL");
    if (await this.#gone(endMsMax, signal)) return;
    throw this.#failed("does not end even when killed; look at its processes");
  }

  async install(release: NodeObservation["configRelease"]): Promise<void> {
    const { leader, orphans } = this.#find();
    if (leader || orphans.length > 0) throw this.#failed("is running, so nothing can be installed");
    await writeNodeOptions(this.#node.config, { release });
  }

  async handOver(release: NodeObservation["configRelease"], signal: AbortSignal): Promise<void> {
    const { leader } = this.#find();
    const { config, command, packages } = this.#node;
    const before = readNodeConfig(config);
    if (!leader || before.pidFile === null || !catchesSignal(leader.pid, constants.signals.SIGUSR2))
      throw this.#failed(
        "cannot hand over: it does not run, has no [perennial] pid_file, or its package does not know how",
      );
    const ownCommand = command !== undefined || packages !== undefined;
    await writeNodeOptions(config, {
      release,
      // The outer quotes are the file's: they come off when it is read.
      ...(ownCommand && { handover_command: `"${joinCommand(this.#command(release)).replaceAll("$", "$$$$")}"` }),
    });
    removeHandOverNote(this.#pidFile());
    this.#signal(leader.pid, "SIGUSR2");
    const noted = () => {
      const note = readHandOverNote(this.#pidFile());
      return note?.from === leader.pid && note.state === "failed" ? note : undefined;
    };
    const taken = () => {
      const now = this.#find().leader;
      return now !== undefined && now.id !== leader.id;
    };
    const dead = () => !this.#find().leader && !findProcess(readHandOverNote(this.#pidFile())?.to ?? leader.pid);
    const ended = await this.#until(handOverMsMax, signal, () => taken() || noted() !== undefined || dead());
    if (taken()) return;
    if (!ended) throw this.#failed("was asked to hand over, but nothing is known of it; see its log");
    await writeNodeOptions(config, { release: before.release });
    throw this.#failed(`goes on as it was: ${noted()?.why ?? "it ended while it handed over"}`);
  }

  async start(signal: AbortSignal): Promise<void> {
    if (this.#find().leader) return;
    const { release } = readNodeConfig(this.#node.config);
    rmSync(this.#markFile(), { force: true });
    this.#exit = null;
    const log = openSync(this.#logFile(), "a");
    try {
      const child = spawn("/bin/sh", ["-c", launchScript, this.#pidFile(), ...this.#command(release)], {
        cwd: this.#node.directory,
        detached: true,
        stdio: ["ignore", log, log],
        env: { ...ownEnvironment(), [givesWayVariable]: "1" },
      });
      child.on("exit", (code, killedBy) => {
        if (this.#child === child) this.#exit = killedBy === null ? `exit code ${code}` : `ended by ${killedBy}`;
      });
      this.#child = child;
      await once(child, "spawn");
      child.unref();
    } catch (error) {
      throw this.#failed(`cannot be started: ${errorText(error)}`, error);
    } finally {
      closeSync(log);
    }
    const appeared = await this.#until(
      appearMsMax,
      signal,
      () => this.#exit !== null || this.#find().leader !== undefined,
    );
    if (!appeared) throw this.#failed(`was started, but ${this.#pidFile()} does not name it`);
  }

  /** The processes of this node that are alive. `orphans`: workers whose supervisor was killed. */
  #find(): { pid: number | null; leader?: ProcessView; orphans: readonly ProcessView[] } {
    const file = this.#pidFile();
    let pid: number;
    let writtenMs: number;
    try {
      writtenMs = statSync(file).mtimeMs;
      pid = Number(readFileSync(file, "utf8").trim());
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return { pid: null, orphans: [] };
      throw this.#failed(`has a pid file that cannot be read: ${errorText(error)}`, error);
    }
    if (!Number.isSafeInteger(pid) || pid <= 1) return { pid: null, orphans: [] };
    const leader = findProcess(pid);
    if (!leader) return { pid, orphans: processGroup(pid) };
    return leader.startedMs <= writtenMs + clockSlackMs ? { pid, leader, orphans: [] } : { pid: null, orphans: [] };
  }

  #command(release: NodeObservation["configRelease"]): readonly string[] {
    const { config, directory, packages, command } = this.#node;
    const folder = packages?.[release];
    if (packages && !folder)
      throw this.#failed(`has no package for ${release}; add packages.${release} to the fleet file`);
    const root = folder ?? packageRoot;
    if (!command) return [process.execPath, join(root, "bin", "glance-api.js"), "--config-file", config];
    const values: Readonly<Record<string, string>> = { config, directory, package: root, release };
    return command.map((part) => part.replace(/\{(\w+)\}/g, (match, name: string) => values[name] ?? match));
  }

  #pidFile(): string {
    return resolve(this.#node.directory, readNodeConfig(this.#node.config).pidFile ?? "glance-api.pid");
  }

  #logFile(): string {
    return join(this.#node.directory, "glance-api.out");
  }

  #markFile(): string {
    return join(this.#node.directory, "glance-rollout.stop");
  }

  #stopMark(): StopMark | undefined {
    try {
      const mark: unknown = JSON.parse(readFileSync(this.#markFile(), "utf8"));
      if (typeof mark !== "object" || mark === null || !("id" in mark) || !("atMs" in mark)) return undefined;
      return { id: String(mark.id), atMs: Number(mark.atMs), sent: "sent" in mark && mark.sent === true };
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw this.#failed(`has a stop mark that cannot be read: ${errorText(error)}; remove ${this.#markFile()}`, error);
    }
  }

  #writeStopMark(mark: StopMark): void {
    const file = this.#markFile();
    try {
      writeFileSync(`${file}.new`, JSON.stringify(mark));
      renameSync(`${file}.new`, file);
    } catch (error) {
      throw this.#failed(`cannot be stopped safely: ${file} cannot be written (${errorText(error)})`, error);
    }
  }

  #signal(pid: number, name: NodeJS.Signals): void {
    try {
      process.kill(pid, name);
    } catch (error) {
      // Gone in the meantime, which is what signals are for here.
      if (error instanceof Error && "code" in error && error.code === "ESRCH") return;
      throw this.#failed(`cannot be signalled (process ${Math.abs(pid)}): ${errorText(error)}`, error);
    }
  }

  #gone(msMax: number, signal: AbortSignal): Promise<boolean> {
    return this.#until(msMax, signal, () => {
      const { leader, orphans } = this.#find();
      return !leader && orphans.length === 0;
    });
  }

  /** A foreign process has no event to wait for. False where `msMax` passed in vain. */
  async #until(msMax: number, signal: AbortSignal, reached: () => boolean): Promise<boolean> {
    const deadlineMs = this.#clock.monotonicMs() + msMax;
    while (!reached()) {
      if (this.#clock.monotonicMs() > deadlineMs) return false;
      await this.#clock.sleep(pollMs, signal);
    }
    return true;
  }

  #failed(what: string, cause?: unknown): ServiceError {
    return new ServiceError("rollout.driver_failed", `${this.#node.name} ${what}`, {
      facts: { node: this.#node.name },
      ...(cause !== undefined && { cause }),
    });
  }
}

/** Ours, without what a service manager or a parent process meant for us alone. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const { NOTIFY_SOCKET, LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES, NODE_CHANNEL_FD, NODE_TEST_CONTEXT, ...rest } =
    process.env;
  return rest;
}

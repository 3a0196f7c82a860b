// The Glance of one node: found in its host's process table, stopped and started by its unit or by commands. It registers nowhere and does
// not finish its requests when it is told to stop, so whoever stops it has taken its requests away before.
import type { Clock } from "../../../core/clock.ts";
import { ServiceError } from "../../../core/errors.ts";
import type { GlanceAt } from "../glance-schema.ts";
import type { HostShell } from "../host-shell.ts";
import { quote } from "../ssh/ssh-host.ts";
import { connectionsOf, findProcesses, firstOnes, type HostProcess } from "./process-list.ts";

export type GlanceView = {
  /** Tells this one from every other one, before and after it. */
  readonly id: string;
  /** For people: the number and the command line of its first process. */
  readonly told: string;
  readonly processes: readonly HostProcess[];
  readonly stopping: boolean;
  /** In this state. */
  readonly processMs: number;
};

const appearMsMax = 60_000;
/** An interpreter of a busy host takes its time to load all of Glance. */
const versionMsMax = 120_000;
const endMsMax = 20_000;
const pollMs = 100;
const lineCharsMax = 120;

/** The output goes elsewhere, or ssh would wait for its end. */
const startScript = `log=$1; shift; setsid "$@" </dev/null >>"$log" 2>&1 &`;

export class GlanceProcess {
  readonly #name: string;
  readonly #at: GlanceAt;
  readonly #shell: HostShell;
  readonly #clock: Clock;
  /** What was told to stop by us, and when. Told twice, Glance takes no notice. */
  #told: { id: string; atMs: number } | null = null;

  constructor(name: string, at: GlanceAt, shell: HostShell, clock: Clock) {
    this.#name = name;
    this.#at = at;
    this.#shell = shell;
    this.#clock = clock;
  }

  /** Undefined where no process of it lives. Throws rollout.driver_failed. */
  async observe(signal: AbortSignal): Promise<GlanceView | undefined> {
    const what = `look for Glance on ${this.#name}`;
    const processes = await findProcesses(this.#shell, this.#at.process, { what, signal });
    const [first] = firstOnes(processes);
    if (!first) return undefined;
    const line = first.line.length > lineCharsMax ? `${first.line.slice(0, lineCharsMax)}...` : first.line;
    const told = this.#told?.id === first.id ? this.#told : null;
    return {
      id: first.id,
      told: `process ${first.pid}: ${line}`,
      processes,
      stopping: told !== null,
      processMs: told ? this.#clock.monotonicMs() - told.atMs : first.aliveMs,
    };
  }

  /** Its ends of its TCP connections, as `address:port`. */
  connections(view: GlanceView, signal: AbortSignal): Promise<readonly string[]> {
    return connectionsOf(this.#shell, view.processes, { what: `look at Glance on ${this.#name}`, signal });
  }

  /** Returns when it was told. */
  async stop(view: GlanceView, signal: AbortSignal): Promise<void> {
    const { unit, stop } = this.#at;
    const what = `stop Glance on ${this.#name}`;
    if (unit !== null) await this.#systemctl(`stop --no-block "$1"`, what, signal);
    else if (stop) await this.#shell.run('"$@"', stop, { what, signal });
    else await this.#signal("TERM", firstOnes(view.processes), what, signal);
    this.#told = { id: view.id, atMs: this.#clock.monotonicMs() };
  }

  /** Ends it at once; returns when it is gone. */
  async cut(view: GlanceView, signal: AbortSignal): Promise<void> {
    const what = `end Glance on ${this.#name}`;
    if (this.#at.unit !== null) await this.#systemctl(`stop --no-block "$1"`, what, signal);
    await this.#signal("KILL", view.processes, what, signal);
    if (await this.#until(endMsMax, signal, (now) => now === undefined)) return;
    throw this.#failed("does not end even when killed; look at its processes");
  }

  /** So that it does not come back when its host is started again. */
  async disable(signal: AbortSignal): Promise<void> {
    if (this.#at.unit !== null) await this.#systemctl(`disable "$1"`, `disable Glance on ${this.#name}`, signal);
  }

  /** Starts it so that it outlives us; returns when its process is there, healthy or not. */
  async start(signal: AbortSignal): Promise<void> {
    if (await this.observe(signal)) return;
    const what = `start Glance on ${this.#name}`;
    if (this.#at.unit !== null) {
      await this.#systemctl(`enable "$1"`, what, signal);
      await this.#systemctl(`start --no-block "$1"`, what, signal);
    } else await this.#shell.run(startScript, [this.#at.log, ...this.#at.start], { what, signal });
    if (await this.#until(appearMsMax, signal, (now) => now !== undefined)) return;
    throw this.#failed(
      `was started, but no process matches ${this.#at.process.source}; see ${this.#at.unit ?? this.#at.log}, and glance.process in the fleet file`,
    );
  }

  /** What it says its version is, such as 25.1.0; null where it does not say. */
  async version(signal: AbortSignal): Promise<string | null> {
    const what = `ask Glance on ${this.#name} for its version`;
    const answers = Array.from({ length: 256 }, (_, code) => code);
    const { stdout, stderr } = await this.#shell.run('"$@"', this.#at.version, {
      what,
      signal,
      answers,
      msMax: versionMsMax,
    });
    return /\b(\d+\.\d+\.\d+)/.exec(`${stdout}\n${stderr}`)?.[1] ?? null;
  }

  async #systemctl(command: string, what: string, signal: AbortSignal): Promise<void> {
    const script = `${this.#at.systemctl.map(quote).join(" ")} ${command}`;
    await this.#shell.run(script, [this.#at.unit ?? ""], { what, signal });
  }

  async #signal(name: "TERM" | "KILL", whom: readonly HostProcess[], what: string, signal: AbortSignal): Promise<void> {
    const pids = whom.map(({ pid }) => String(pid));
    // Gone in the meantime is what it is for; that one may not be signalled shows in that it stays.
    if (pids.length > 0) await this.#shell.run(`kill -s ${name} "$@" 2>/dev/null || true`, pids, { what, signal });
  }

  async #until(msMax: number, signal: AbortSignal, reached: (view: GlanceView | undefined) => boolean) {
    const deadlineMs = this.#clock.monotonicMs() + msMax;
    while (!reached(await this.observe(signal))) {
      if (this.#clock.monotonicMs() > deadlineMs) return false;
      await this.#clock.sleep(pollMs, signal);
    }
    return true;
  }

  #failed(what: string): ServiceError {
    return new ServiceError("rollout.driver_failed", `Glance on ${this.#name} ${what}`, {
      facts: { node: this.#name },
    });
  }
}

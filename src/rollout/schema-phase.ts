// Runs a phase of the schema as `glance-manage db PHASE`, a process of its own from the target release's package. When the rollout is
// killed it may live on; the engine's own lock then makes the next rollout wait for it instead of running a second one.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type ErrorCode, errorCodes, ServiceError } from "../core/errors.ts";
import type { ReleaseId } from "../releases/catalogue.ts";
import type { Done, Report } from "./runner.ts";

export type SchemaPhase = "expand" | "migrate" | "contract" | "revert";

/** An index over a large table takes its time without a word. */
const silenceMsMax = 3_600_000;
/** From asking it to stop at its next safe point, until it is ended. It may be ended at any point and run again. */
const stopMsMax = 30_000;
/** Hours of data are migrated in parts, with a look at the fleet after each. */
const migrateSecondsMax = 60;
const progressEveryMs = 2_000;
const stderrCharactersMax = 2_000;

export type SchemaPhaseOptions = {
  readonly phase: SchemaPhase;
  readonly target: ReleaseId;
  /** A glance-api.conf with [database] connection. */
  readonly config: string;
  /** Root of the package whose glance-manage is run. */
  readonly packageRoot: string;
  /** revert: take from users what the older release cannot express. */
  readonly acceptLosses?: boolean;
  readonly report: Report;
  readonly signal: AbortSignal;
};

/** Throws what glance-manage said, under its own code; rollout.driver_failed where it ended without a word. */
export async function runSchemaPhase(options: SchemaPhaseOptions): Promise<Done> {
  const { phase, target, config, packageRoot, signal } = options;
  const acceptLosses = phase === "revert" && options.acceptLosses === true;
  const script = join(packageRoot, "bin", "glance-manage.js");
  const limits =
    phase === "migrate" ? ["--max-seconds", String(migrateSecondsMax)] : acceptLosses ? ["--accept-losses"] : [];
  const args = [script, "--config-file", config, "db", phase, "--to", target, "--json", ...limits];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-stderrCharactersMax);
  });
  let killTimer: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill("SIGTERM");
    killTimer ??= setTimeout(() => child.kill("SIGKILL"), stopMsMax);
  };
  const silence = setTimeout(stop, silenceMsMax);
  signal.addEventListener("abort", stop, { once: true });
  const listener = new PhaseListener(options);
  const ended = once(child, "close");
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      silence.refresh();
      await listener.hear(line);
    }
    const [code] = await ended;
    if (code === 0 && !listener.failure) return listener.outcome ?? { text: `db ${phase} is done` };
    if (listener.failure) throw listener.failure;
    const [line = ""] = said.trim().split("\n");
    const message = `glance-manage db ${phase} ended with ${code ?? "a signal"}: ${line || "it said nothing"}`;
    throw new ServiceError("rollout.driver_failed", message, { facts: { phase } });
  } finally {
    clearTimeout(silence);
    clearTimeout(killTimer);
    signal.removeEventListener("abort", stop);
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  }
}

/** Understands glance-manage's JSON lines. */
class PhaseListener {
  outcome: Done | undefined;
  failure: ServiceError | undefined;
  readonly #options: SchemaPhaseOptions;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(options: SchemaPhaseOptions) {
    this.#options = options;
  }

  async hear(line: string): Promise<void> {
    const event = parse(line);
    if (!event) return;
    const { phase, report } = this.#options;
    if (event.event === "result")
      this.outcome = { text: `db ${phase}: ${describeResult(event)}`, partly: event.complete === false };
    else if (event.event === "error") this.failure = toError(event, phase);
    else if (event.event === "warning") await report(`warning: ${String(event.text)}`, event);
    else if (event.event === "step") {
      if (event.status === "applied") await report(`${String(event.step)}: done in ${Number(event.ms)} ms`, event);
      else if (event.status === "waiting")
        await report(`${String(event.step)}: ${String(event.detail ?? "waiting")}`, event);
    } else if (event.event === "progress") await this.#progress(event);
  }

  async #progress(event: Record<string, unknown>): Promise<void> {
    const done = event.rowsTotal !== null && event.rowsDone === event.rowsTotal;
    if (!done && performance.now() - this.#toldMs < progressEveryMs) return;
    this.#toldMs = performance.now();
    const about = event.rowsTotalEstimated === true ? "about " : "";
    const of = event.rowsTotal === null ? "" : ` of ${about}${Number(event.rowsTotal)}`;
    const left = event.etaSeconds === null ? "" : `, about ${Number(event.etaSeconds)} s left`;
    const text = `${String(event.step)}: ${Number(event.rowsDone)}${of} rows, ${Number(event.rowsPerSecond)} rows/s${left}`;
    await this.#options.report(text, event);
  }
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const event: unknown = JSON.parse(line);
    return typeof event === "object" && event !== null ? (event as Record<string, unknown>) : undefined;
  } catch {
    // Another package may print what we do not know; the exit code decides.
    return undefined;
  }
}

function describeResult(event: Record<string, unknown>): string {
  const outcome = String(event.outcome ?? "done").replaceAll("_", " ");
  const left = event.complete === false ? ", more are left" : "";
  const rows = typeof event.rows === "number" ? `, ${event.rows} rows${left}` : "";
  const heads = Array.isArray(event.heads) ? `, at ${event.heads.join(", ")}` : "";
  return `${outcome}${rows}${heads}`;
}

function toError(event: Record<string, unknown>, phase: SchemaPhase): ServiceError {
  const code = errorCodes.find((known): known is ErrorCode => known === event.code) ?? "rollout.driver_failed";
  const [line = ""] = String(event.message ?? "").split("\n");
  return new ServiceError(code, line || `glance-manage db ${phase} failed`, { facts: { phase } });
}

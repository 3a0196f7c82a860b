// The rollout in figures for Prometheus: a file that node_exporter's textfile collector reads, replaced in one step. Written at most once
// a second, and at the end.
import { Counter, Gauge, Registry } from "prom-client";
import { isServing } from "../decide-node.ts";
import type { Phase } from "../decision.ts";
import type { JournalEvent } from "../journal-event.ts";
import { replaceFile } from "../replace-file.ts";
import type { NodeView } from "../snapshot.ts";

const everyMs = 1_000;

export class RolloutMetrics {
  readonly #file: string;
  readonly #registry = new Registry();
  readonly #onTrouble: (error: unknown) => void;
  readonly #phase: Gauge;
  readonly #nodes: Gauge;
  readonly #serving: Gauge;
  readonly #transfers: Gauge;
  readonly #running: Gauge;
  readonly #lastEntry: Gauge;
  readonly #steps: Counter;
  readonly #pauses: Counter;
  #writing: Promise<void> | null = null;
  #writtenMs = Number.NEGATIVE_INFINITY;

  /** `events`: those of earlier runs of this rollout, so that counters do not fall. */
  constructor(options: {
    file: string;
    rolloutId: string;
    fleet: string;
    target: string;
    events: readonly JournalEvent[];
    onTrouble: (error: unknown) => void;
  }) {
    this.#file = options.file;
    this.#onTrouble = options.onTrouble;
    const labels = { rollout: options.rolloutId, fleet: options.fleet, target: options.target };
    this.#gauge("perennial_rollout_info", "The rollout under way.", Object.keys(labels)).set(labels, 1);
    this.#running = this.#gauge(
      "perennial_rollout_running",
      "1 while a run is at it; 0 when it ended or waits for a person.",
    );
    this.#phase = this.#gauge("perennial_rollout_phase", "1 for the phase it is in.", ["phase"]);
    this.#nodes = this.#gauge("perennial_rollout_nodes", "Nodes by what they serve and how they are.", [
      "release",
      "process",
    ]);
    this.#serving = this.#gauge("perennial_rollout_nodes_serving", "Nodes that take requests from clients.");
    this.#transfers = this.#gauge("perennial_rollout_transfers", "Uploads and downloads under way at nodes that stop.");
    this.#lastEntry = this.#gauge(
      "perennial_rollout_last_entry_timestamp_seconds",
      "When the journal's last entry was written.",
    );
    this.#steps = this.#counter("perennial_rollout_steps_total", "Steps done, by step and whether they succeeded.", [
      "step",
      "ok",
    ]);
    this.#pauses = this.#counter("perennial_rollout_pauses_total", "How often it stopped to wait for a person.");
    this.#running.set(1);
    this.#pauses.inc(0);
    for (const event of options.events) this.#count(event);
  }

  event(event: JournalEvent): void {
    this.#count(event);
    this.#write();
  }

  look(nodes: readonly NodeView[]): void {
    this.#nodes.reset();
    for (const node of nodes) this.#nodes.inc({ release: node.release ?? node.configRelease, process: node.process });
    this.#serving.set(nodes.filter(isServing).length);
    const stopping = nodes.filter((node) => node.process === "stopping");
    this.#transfers.set(stopping.reduce((sum, node) => sum + (node.transfers?.count ?? 0), 0));
    this.#write();
  }

  /** The last word. */
  async end(): Promise<void> {
    this.#running.set(0);
    await this.#writing;
    await this.#put();
  }

  #count(event: JournalEvent): void {
    const { kind, phase, time, data } = event;
    this.#enter(phase);
    this.#lastEntry.set(Date.parse(time) / 1000);
    if (kind === "decision" && data?.do === "pause") this.#pauses.inc();
    if (kind === "result" && typeof data?.do === "string")
      this.#steps.inc({ step: data.do, ok: String(data.ok === true) });
  }

  #enter(phase: Phase): void {
    this.#phase.reset();
    this.#phase.set({ phase }, 1);
  }

  #write(): void {
    if (this.#writing || performance.now() - this.#writtenMs < everyMs) return;
    this.#writtenMs = performance.now();
    this.#writing = this.#put().finally(() => {
      this.#writing = null;
    });
  }

  /** That the figures cannot be written is told, and stops nothing. */
  async #put(): Promise<void> {
    try {
      await replaceFile(this.#file, await this.#registry.metrics());
    } catch (error) {
      this.#onTrouble(error);
    }
  }

  #gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }
}

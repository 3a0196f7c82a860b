// Progress events of long work on rows: rate over the last seconds, time to go, and not more than two a second.
import type { EngineEvent, EngineRun } from "./engine-run.ts";

type Subject = Pick<Extract<EngineEvent, { event: "progress" }>, "phase" | "release" | "step" | "rowsTotal">;

const everyMs = 500;

export class ProgressReport {
  readonly #run: Pick<EngineRun, "on">;
  readonly #subject: Subject;
  readonly #startMs = performance.now();
  #toldMs = Number.NEGATIVE_INFINITY;
  #batchRows = 0;

  constructor(run: Pick<EngineRun, "on">, subject: Subject) {
    this.#run = run;
    this.#subject = subject;
  }

  tell(rowsDone: number, batchRows: number, detail?: string): void {
    this.#batchRows = batchRows;
    const nowMs = performance.now();
    if (nowMs - this.#toldMs < everyMs) return;
    this.#toldMs = nowMs;
    this.#send(rowsDone, detail);
  }

  /** The last event, whatever was told before; passes `result` through. */
  end<T>(rowsDone: number, result: T): T {
    this.#send(rowsDone, undefined);
    return result;
  }

  #send(rowsDone: number, detail: string | undefined): void {
    const seconds = (performance.now() - this.#startMs) / 1_000;
    const rowsPerSecond = seconds > 0 ? Math.round(rowsDone / seconds) : 0;
    const { rowsTotal } = this.#subject;
    const left = rowsTotal === null ? null : Math.max(rowsTotal - rowsDone, 0);
    const etaSeconds = left === null || rowsPerSecond === 0 ? null : Math.round(left / rowsPerSecond);
    this.#run.on({
      event: "progress",
      ...this.#subject,
      rowsDone,
      rowsPerSecond,
      etaSeconds,
      batchRows: this.#batchRows,
      ...(detail === undefined ? {} : { detail }),
    });
  }
}

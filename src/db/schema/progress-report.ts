// Progress events of long work on rows: the rate of the last ten seconds or so, the time to go at that rate, and not more than two a second.
import type { EngineEvent, EngineRun } from "./engine-run.ts";

type Subject = Pick<
  Extract<EngineEvent, { event: "progress" }>,
  "phase" | "release" | "step" | "rowsTotal" | "rowsTotalEstimated"
>;

const everyMs = 500;
/** Events the rate is taken over. */
const eventsKept = 20;

/** How many rows were done, and when. */
type Mark = { readonly atMs: number; readonly rowsDone: number };

export class ProgressReport {
  readonly #run: Pick<EngineRun, "on">;
  #subject: Subject;
  readonly #start: Mark = { atMs: performance.now(), rowsDone: 0 };
  readonly #recent: Mark[] = [this.#start];
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
    const since = this.#recent[0] ?? this.#start;
    this.#recent.push({ atMs: nowMs, rowsDone });
    if (this.#recent.length > eventsKept) this.#recent.shift();
    this.#send(rowsDone, since, detail);
  }

  /** The last event, whatever was told before, with the rate of the whole; passes `result` through. */
  end<T>(rowsDone: number, result: T): T {
    this.#send(rowsDone, this.#start, undefined);
    return result;
  }

  /** The last event, when nothing is left: what was done is all there was, whatever was counted or estimated before. */
  endComplete<T>(rowsDone: number, result: T): T {
    const { phase, release, step } = this.#subject;
    this.#subject = { phase, release, step, rowsTotal: rowsDone };
    return this.end(rowsDone, result);
  }

  #send(rowsDone: number, since: Mark, detail: string | undefined): void {
    const seconds = Math.max((performance.now() - since.atMs) / 1_000, 0.001);
    const rowsPerSecond = Math.round((rowsDone - since.rowsDone) / seconds);
    const { rowsTotal, rowsTotalEstimated, ...subject } = this.#subject;
    // An estimate that is passed was none.
    const known = rowsTotalEstimated && rowsTotal !== null && rowsDone > rowsTotal ? null : rowsTotal;
    const left = known === null ? null : Math.max(known - rowsDone, 0);
    const etaSeconds = left === null || rowsPerSecond === 0 ? null : Math.round(left / rowsPerSecond);
    this.#run.on({
      event: "progress",
      ...subject,
      rowsTotal: known,
      ...(rowsTotalEstimated && known !== null ? { rowsTotalEstimated } : {}),
      rowsDone,
      rowsPerSecond,
      etaSeconds,
      batchRows: this.#batchRows,
      ...(detail === undefined ? {} : { detail }),
    });
  }
}

// What glance-manage prints: the reference's lines on stdout, progress on stderr; or, with --json, one JSON object a line on stdout
// (events of the engine as they come, then one result or error) and nothing else there.
import type { EngineEvent } from "../db/schema/engine-run.ts";
import { createLiveLine, type LiveLine } from "./live-line.ts";

type Sink = { write(text: string): unknown; readonly isTTY?: boolean };

/** Without a terminal a line of progress every so often; with one the last line is rewritten. */
const lineEveryMs = 3_000;
/** Where nothing has changed, as in a pause that lasts for hours. */
const sameLineEveryMs = 60_000;

export class ManageOutput {
  readonly json: boolean;
  readonly #stdout: Sink;
  readonly #stderr: Sink;
  readonly #live: LiveLine | undefined;
  #toldMs = Number.NEGATIVE_INFINITY;
  #told = "";

  constructor(json: boolean, stdout: NodeJS.WriteStream = process.stdout, stderr: NodeJS.WriteStream = process.stderr) {
    this.json = json;
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#live = !json && stderr.isTTY ? createLiveLine(stderr) : undefined;
  }

  /** The outcome: a line of the reference for people and scripts, its facts for programs. */
  result(line: string | readonly string[], facts: Readonly<Record<string, unknown>>): void {
    this.#endLive();
    if (this.json) this.#print({ event: "result", ...facts });
    else for (const text of [line].flat()) this.#stdout.write(`${text}\n`);
  }

  error(line: string, facts: Readonly<Record<string, unknown>>): void {
    this.#endLive();
    if (this.json) this.#print({ event: "error", ...facts, message: line });
    this.#stderr.write(`${line}\n`);
  }

  note(line: string): void {
    this.#endLive();
    if (this.json) this.#print({ event: "warning", text: line });
    else this.#stderr.write(`${line}\n`);
  }

  readonly onEvent = (event: EngineEvent): void => {
    if (this.json) this.#print(event);
    else if (event.event === "warning") this.note(`warning: ${event.text}`);
    else if (event.event === "step") this.#step(event);
    else this.#progress(event);
  };

  /** Work that is no step of the engine: a line that is rewritten, its facts for programs. */
  working(text: string, facts: object): void {
    if (this.json) this.#print(facts);
    else this.#working(text);
  }

  #progress(event: Extract<EngineEvent, { event: "progress" }>): void {
    this.#working(progressText(event), event.rowsDone === event.rowsTotal);
  }

  #working(text: string, always = false): void {
    const nowMs = performance.now();
    if (this.#live) this.#live(text);
    else if (always || nowMs - this.#toldMs >= (text === this.#told ? sameLineEveryMs : lineEveryMs)) {
      this.#toldMs = nowMs;
      this.#told = text;
      this.#stderr.write(`${text}\n`);
    }
  }

  #step(event: Extract<EngineEvent, { event: "step" }>): void {
    const place = `${event.phase} ${event.index}/${event.steps}  ${event.step}`;
    if (event.status === "started") this.#live?.(`${place} ...`);
    else if (event.status === "working") this.#working(`${place}: ${event.detail}`);
    else if (event.status === "waiting") this.note(`${place}: ${event.detail ?? "waiting"}`);
    else if (event.status === "applied") this.note(`${place}: done in ${event.ms} ms`);
  }

  #endLive(): void {
    this.#live?.clear();
  }

  #print(object: object): void {
    this.#stdout.write(`${JSON.stringify(object)}\n`);
  }
}

const number = new Intl.NumberFormat("en-US");

function progressText(event: Extract<EngineEvent, { event: "progress" }>): string {
  const about = event.rowsTotalEstimated ? "about " : "";
  const of = event.rowsTotal === null ? "" : ` of ${about}${number.format(event.rowsTotal)}`;
  const left = event.etaSeconds === null ? "" : `, ${event.etaSeconds} s left`;
  const detail = event.detail === undefined ? "" : ` (${event.detail})`;
  return `${event.step}: ${number.format(event.rowsDone)}${of} rows, ${number.format(event.rowsPerSecond)} rows/s${left}${detail}`;
}

// The live picture in the terminal: phases, nodes as the registry knows them, traffic. Without a terminal: a plain line for each
// change of phase or node, so that a log stays readable.
import { createLogUpdate } from "log-update";
import type { JournalEvent } from "../src/rollout/journal-event.ts";
import type { DemoState } from "./demo.ts";

const phases = ["backup", "expand", "migrate", "nodes", "contract", "done"] as const;
const drawEveryMs = 200;
const eventsShown = 5;

export type Screen = { stop(): void };

/** Draws on stderr: stdout is the report's. */
export function startScreen(state: DemoState, stream: NodeJS.WriteStream = process.stderr): Screen {
  const startedMs = performance.now();
  return stream.isTTY ? drawing(state, stream, startedMs) : plainLines(state, stream, startedMs);
}

function drawing(state: DemoState, stream: NodeJS.WriteStream, startedMs: number): Screen {
  const update = createLogUpdate(stream);
  const rate = requestRate(state);
  const draw = () => update(picture(state, (performance.now() - startedMs) / 1_000, rate()));
  const timer = setInterval(draw, drawEveryMs);
  return {
    stop() {
      clearInterval(timer);
      draw();
      update.done();
    },
  };
}

/** The text of one moment; exported for its test and the README's picture. */
export function picture(state: DemoState, seconds: number, perSecond: number): string {
  const { recorder, events } = state;
  const marks = phases.map((phase) => {
    if (isOver(phase, events)) return `✔ ${phase}`;
    return phase === events.at(-1)?.phase ? `▶ ${phase}` : `· ${phase}`;
  });
  const { p50Ms, p99Ms, maxMs } = recorder.latency(recorder.window);
  const cells = (...texts: (string | number)[]) => texts.map((text) => String(text).padEnd(11)).join("");
  return [
    `Perennial  ${state.from} → ${state.to}${`${seconds.toFixed(0)} s`.padStart(50)}`,
    "",
    `  ${marks.join("   ")}`,
    "",
    `  ${cells("node", "release", "state", "uploads", "downloads")}`,
    ...state.registry.map((row) => `  ${cells(row.name, row.release, row.state, row.uploads, row.downloads)}`),
    "",
    `  traffic    ${perSecond} requests/s, ${recorder.requests} in all, ${recorder.failed} failed, ` +
      `${recorder.transfers.size} transfers under way, ${recorder.cut} cut`,
    `  ${recorder.window.padEnd(10)} p50 ${p50Ms.toFixed(1)} ms   p99 ${p99Ms.toFixed(1)} ms   max ${maxMs.toFixed(1)} ms`,
    "",
    ...(state.console === undefined ? [] : [`  console    ${state.console}`.slice(0, 120)]),
    `  ${state.activity}`,
    ...events.slice(-eventsShown).map((event) => `    ${eventLine(event)}`),
    "",
  ].join("\n");
}

/** Phases are not strictly in a row: the first node is taken out before the database is expanded. */
function isOver(phase: (typeof phases)[number], events: readonly JournalEvent[]): boolean {
  if (events.at(-1)?.phase === "done") return true;
  if (phase === "nodes") return events.some((event) => event.phase === "contract");
  return events.some((event) => event.kind === "result" && event.phase === phase && event.data?.ok === true);
}

function plainLines(state: DemoState, stream: NodeJS.WriteStream, startedMs: number): Screen {
  let activity = "";
  let shown = 0;
  let told: string | undefined;
  const look = () => {
    const at = `${((performance.now() - startedMs) / 1_000).toFixed(1).padStart(6)} s  `;
    const said = state.activity.replace(/: \d+.*$/, "");
    if (said !== activity) stream.write(`${at}${said}\n`);
    activity = said;
    if (state.console !== told) stream.write(`${at}console: ${state.console}\n`);
    told = state.console;
    for (; shown < state.events.length; shown++) {
      const event = state.events[shown];
      if (event && event.kind !== "observation") stream.write(`${at}  ${eventLine(event)}\n`);
    }
  };
  const timer = setInterval(look, drawEveryMs);
  return {
    stop() {
      clearInterval(timer);
      look();
    },
  };
}

function eventLine(event: JournalEvent): string {
  return `${event.phase}${event.node === undefined ? "" : ` ${event.node}`}: ${event.text}`.slice(0, 110);
}

/** Requests of the last second or so. */
function requestRate(state: DemoState): () => number {
  const samples: { ms: number; requests: number }[] = [];
  return () => {
    samples.push({ ms: performance.now(), requests: state.recorder.requests });
    while (samples.length > 6) samples.shift();
    const [first] = samples;
    const last = samples.at(-1);
    if (!first || !last || last.ms === first.ms) return 0;
    return Math.round(((last.requests - first.requests) * 1_000) / (last.ms - first.ms));
  };
}

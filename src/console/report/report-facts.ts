// What a report says beyond the view of a rollout's end: totals, every decision with its outcome, runs with their settings, and how each
// node fared over time.
import { JournalFold } from "../journal-fold.ts";
import { isRecord, numberOf, textOf } from "../journal-line.ts";
import type { JournalLine, NodeState } from "../model.ts";

export type DecisionRow = {
  readonly line: JournalLine;
  /** How the step ended; null where it has no end, or none was written. */
  outcome: { readonly ok: boolean; readonly text: string; readonly ms: number | null } | null;
};
export type RunRow = {
  readonly atMs: number;
  readonly way: string;
  readonly target: string;
  readonly host: string;
  readonly version: string;
  readonly settings: readonly (readonly [name: string, value: string])[];
};
export type LanePart = {
  readonly fromMs: number;
  untilMs: number;
  readonly state: NodeState;
  readonly release: string | null;
};
export type NodeHistory = {
  readonly name: string;
  readonly parts: readonly LanePart[];
  readonly starts: number;
  readonly outSeconds: number;
};

export type ReportFacts = {
  readonly decisions: readonly DecisionRow[];
  readonly runs: readonly RunRow[];
  readonly nodes: readonly NodeHistory[];
  /** How often a change of the schema gave way to traffic. */
  readonly gaveWay: number;
  /** Of backups that were read back; null where no entry tells. */
  readonly bytesVerified: number | null;
  /** Entries that are parts of a step or its progress. */
  readonly actions: number;
};

export function reportFacts(lines: readonly JournalLine[], target: string): ReportFacts {
  return {
    decisions: decisionRows(lines),
    runs: lines.flatMap(runRow),
    nodes: nodeHistories(lines, target),
    gaveWay: lines.filter(({ data }) => data.event === "step" && data.status === "waiting").length,
    bytesVerified: bytesVerified(lines),
    actions: lines.filter(({ kind }) => kind === "action").length,
  };
}

function decisionRows(lines: readonly JournalLine[]): readonly DecisionRow[] {
  const rows: DecisionRow[] = [];
  const open = new Map<string, DecisionRow>();
  for (const line of lines) {
    const key = `${textOf(line.data.do)} ${line.node ?? ""}`;
    if (line.kind === "decision") {
      const row: DecisionRow = { line, outcome: null };
      rows.push(row);
      open.set(key, row);
    } else if (line.kind === "result") {
      const row = open.get(key);
      if (row) row.outcome = { ok: line.data.ok === true, text: line.text, ms: numberOf(line.data.ms) };
      open.delete(key);
    }
  }
  return rows;
}

function runRow({ atMs, data }: JournalLine): RunRow[] {
  const { run } = data;
  if (!isRecord(run)) return [];
  const [way, target, host, version] = [run.way, run.target, run.host, run.version].map(
    (one) => textOf(one) ?? "not known",
  );
  const settings = isRecord(run.settings)
    ? Object.entries(run.settings).map(([name, value]) => [name, String(value)] as const)
    : [];
  return [{ atMs, way: way ?? "", target: target ?? "", host: host ?? "", version: version ?? "", settings }];
}

function nodeHistories(lines: readonly JournalLine[], target: string): readonly NodeHistory[] {
  const fold = new JournalFold(target);
  const parts = new Map<string, LanePart[]>();
  const starts = new Map<string, number>();
  const lastMs = lines.at(-1)?.atMs ?? 0;
  for (const line of lines) {
    fold.apply(line);
    const began = isRecord(line.data.began) ? Object.keys(line.data.began) : [];
    for (const name of [...began, ...(line.node === null ? [] : [line.node])]) {
      const track = fold.nodes.get(name);
      if (track) moveTo(parts, name, track, line.atMs);
    }
    const isStart =
      line.kind === "result" && line.data.ok === true && ["start", "hand-over"].includes(String(line.data.do));
    if (isStart && line.node !== null) starts.set(line.node, (starts.get(line.node) ?? 0) + 1);
  }
  return [...parts].map(([name, own]) => {
    const last = own.at(-1);
    if (last) last.untilMs = lastMs;
    const away = own.filter(({ state }) => state !== "serving" && state !== "unknown");
    const outSeconds = away.reduce((sum, part) => sum + (part.untilMs - part.fromMs) / 1000, 0);
    return { name, parts: own, starts: starts.get(name) ?? 0, outSeconds };
  });
}

function moveTo(
  parts: Map<string, LanePart[]>,
  name: string,
  { state, release }: { readonly state: NodeState; readonly release: string | null },
  atMs: number,
): void {
  const own = parts.get(name) ?? [];
  parts.set(name, own);
  const last = own.at(-1);
  if (last?.state === state && last.release === release) return;
  if (last) last.untilMs = atMs;
  own.push({ fromMs: atMs, untilMs: atMs, state, release });
}

function bytesVerified(lines: readonly JournalLine[]): number | null {
  const told = lines.flatMap(({ kind, data }) => {
    const bytes = kind === "result" && data.ok === true && isRecord(data.backup) ? numberOf(data.backup.bytes) : null;
    return bytes ?? [];
  });
  return told.length === 0 ? null : told.reduce((sum, bytes) => sum + bytes, 0);
}

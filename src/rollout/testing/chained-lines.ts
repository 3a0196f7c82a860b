// Lines of a journal as a run writes them, for tests of what reads one.
import { type ChainedLine, chainLine, chainStart } from "../journal-chain.ts";

/** At most 60 of them, `entry 1`, `entry 2` and so on where no other word is given. */
export function chainedLines(rolloutId: string, count: number, word = "entry"): readonly ChainedLine[] {
  const lines: ChainedLine[] = [];
  for (let seq = 1; seq <= count; seq++) {
    const time = `2026-01-01T00:00:${String(seq - 1).padStart(2, "0")}.000Z`;
    const event = { seq, time, kind: "observation", phase: "nodes", text: `${word} ${seq}` } as const;
    lines.push(chainLine(event, lines.at(-1)?.hash ?? chainStart(rolloutId)));
  }
  return lines;
}

// The phase bar: which phases a rollout has, where it is, and how long each took. Each entry's time counts to its phase until the next.
import type { JournalLine, PhaseView } from "./model.ts";

const forward = ["backup", "expand", "migrate", "nodes", "contract"] as const;
const back = ["nodes", "revert"] as const;

export class PhaseClock {
  readonly #parts = new Map<string, { beganAtMs: number; ms: number }>();
  readonly #succeeded = new Set<string>();
  #last: { phase: string; atMs: number } | null = null;

  clone(): PhaseClock {
    const copy = new PhaseClock();
    for (const [phase, part] of this.#parts) copy.#parts.set(phase, { ...part });
    for (const phase of this.#succeeded) copy.#succeeded.add(phase);
    copy.#last = this.#last;
    return copy;
  }

  get phase(): string | null {
    return this.#last?.phase ?? null;
  }

  /** True where it is in another phase than before. */
  enter({ phase, atMs }: Pick<JournalLine, "phase" | "atMs">): boolean {
    this.#count(atMs);
    const isOther = this.#last?.phase !== phase;
    if (!this.#parts.has(phase)) this.#parts.set(phase, { beganAtMs: atMs, ms: 0 });
    this.#last = { phase, atMs };
    return isOther;
  }

  /** On the way back the phases are counted anew. */
  begin(): void {
    this.#parts.clear();
    this.#succeeded.clear();
    this.#last = null;
  }

  /** Its work succeeded, or a part of it: while it is still the current one more is left. */
  succeed(phase: string): void {
    this.#succeeded.add(phase);
  }

  /** `ended`: nothing is under way any more; `whole`: it came to its end. */
  view(
    way: "forward" | "back",
    atMs: number,
    { ended, whole }: { ended: boolean; whole: boolean },
  ): readonly PhaseView[] {
    const order: readonly string[] = way === "back" ? back : forward;
    return order.map((phase, index) => {
      const part = this.#parts.get(phase);
      const isCurrent = phase === this.phase && !ended;
      // The first node is taken out before the schema is changed, so that nodes tell nothing about what stands before them.
      const isPassed = order.slice(index + 1).some((later) => later !== "nodes" && this.#parts.has(later));
      const open = isCurrent && this.#last ? Math.max(0, atMs - this.#last.atMs) : 0;
      const isDone = whole || (!isCurrent && (isPassed || this.#succeeded.has(phase)));
      return {
        phase,
        state: isDone ? "done" : isCurrent ? "current" : part ? "resting" : "ahead",
        beganAtMs: part?.beganAtMs ?? null,
        seconds: Math.round(((part?.ms ?? 0) + open) / 100) / 10,
      };
    });
  }

  #count(atMs: number): void {
    const part = this.#last && this.#parts.get(this.#last.phase);
    if (part && this.#last) part.ms += Math.max(0, atMs - this.#last.atMs);
  }
}

// The journal's copy in the database, in memory: it can be away, and its lease can be lost.
import { ServiceError } from "../../core/errors.ts";
import type { StoredEntry, StoredRollout } from "../../db/repositories/rollout-journal-repository.ts";
import { leaseLost } from "../../db/repositories/rollout-lease-repository.ts";
import type { ChainedLine } from "../journal-chain.ts";
import type { JournalStore } from "../journal-store.ts";

export class MemoryJournalStore implements JournalStore {
  away = false;
  lost = false;
  readonly #rollouts = new Map<string, StoredEntry[]>();

  linesOf(rolloutId: string): readonly string[] {
    return (this.#rollouts.get(rolloutId) ?? []).map(({ entry }) => entry);
  }

  async list(): Promise<readonly StoredRollout[]> {
    this.#mustBeThere();
    return [...this.#rollouts].map(([rolloutId, entries]) => {
      const [first = "", last = ""] = [entries[0]?.entry, entries.at(-1)?.entry];
      return { rolloutId, entries: entries.length, first, last };
    });
  }

  async read(rolloutId: string, after = 0): Promise<readonly StoredEntry[]> {
    this.#mustBeThere();
    return (this.#rollouts.get(rolloutId) ?? []).filter(({ seq }) => seq > after);
  }

  async add(rolloutId: string, added: readonly ChainedLine[]): Promise<void> {
    this.#mustBeThere();
    if (this.lost) throw leaseLost("process 2");
    const entries = this.#rollouts.get(rolloutId) ?? [];
    this.#rollouts.set(rolloutId, entries);
    for (const line of added) {
      const there = entries.find(({ seq }) => seq === line.seq);
      if (there && there.hash !== line.hash) throw new ServiceError("rollout.journal_broken", `entry ${line.seq}`);
      if (!there) entries.push(line);
    }
  }

  #mustBeThere(): void {
    if (this.away) throw new ServiceError("db.unreachable", "the database is away");
  }
}

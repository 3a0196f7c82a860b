// A host that rollouts are run from: its disk, with the journals that were written there, whole lines only.
import { parseEntry } from "../../journal-chain.ts";
import type { JournalDisk, JournalPen } from "../../journal-disk.ts";
import { parseRolloutId } from "../../journal-file.ts";
import type { SimulatedProcess } from "./virtual-time.ts";

export class SimulatedHost {
  readonly name: string;
  readonly skewMs: number;
  readonly #files = new Map<string, string[]>();

  constructor(name: string, skewMs: number) {
    this.name = name;
    this.skewMs = skewMs;
  }

  disk(process: SimulatedProcess): JournalDisk {
    const pen = (rolloutId: string): JournalPen => ({
      append: async (lines) => {
        await process.sleep(1);
        const file = this.#files.get(rolloutId) ?? [];
        file.push(...lines.split("\n").slice(0, -1));
        this.#files.set(rolloutId, file);
        await process.sleep(0);
      },
      close: async () => undefined,
    });
    return {
      read: async (fleet, target) => {
        await process.sleep(1);
        return [...this.#files].flatMap(([rolloutId, lines]) => {
          const id = parseRolloutId(rolloutId);
          if (id?.fleet !== fleet || id.target !== target) return [];
          const events = lines.flatMap((line) => parseEntry(line) ?? []);
          return [{ rolloutId, path: rolloutId, lines: [...lines], bytes: 0, events }];
        });
      },
      begin: async (rolloutId) => {
        await process.sleep(1);
        this.#files.set(rolloutId, []);
        return pen(rolloutId);
      },
      goOn: async (rolloutId, { forked, missing }) => {
        await process.sleep(1);
        this.#files.set(rolloutId, [...(forked ? [] : (this.#files.get(rolloutId) ?? [])), ...missing]);
        return pen(rolloutId);
      },
    };
  }
}

// Counts the uploads, downloads and imports in flight in this process, so that a drain can wait for them and tell how long it will take.

/** An import goes on without a client. */
export type TransferKind = "upload" | "download" | "import";

export type TransferView = {
  readonly kind: TransferKind;
  readonly imageId: string;
  readonly startedMs: number;
  readonly bytesDone: number;
  /** null where the client did not announce a length. */
  readonly bytesTotal: number | null;
};

export interface Transfer {
  progress(bytes: number): void;
  /** Safe to call twice. */
  end(): void;
}

export class TransferTracker {
  readonly #transfers = new Set<{
    kind: TransferKind;
    imageId: string;
    startedMs: number;
    bytesDone: number;
    bytesTotal: number | null;
  }>();
  readonly #nowMs: () => number;

  /** `nowMs`: wall clock, milliseconds since the epoch. */
  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs;
  }

  begin(options: { kind: TransferKind; imageId: string; bytesTotal: number | null }): Transfer {
    const entry = { ...options, startedMs: this.#nowMs(), bytesDone: 0 };
    this.#transfers.add(entry);
    return {
      progress: (bytes) => {
        entry.bytesDone += bytes;
      },
      end: () => {
        this.#transfers.delete(entry);
      },
    };
  }

  snapshot(): readonly TransferView[] {
    return [...this.#transfers].map((entry) => ({ ...entry }));
  }
}

// How far a backup or a restore has come, told at most twice a second.

export type BackupStage = "write" | "read_back" | "check" | "load";

export type BackupProgress = {
  readonly event: "progress";
  readonly stage: BackupStage;
  /** Plain bytes so far; of `check`, bytes of the file. */
  readonly bytes: number;
  /** null where it is not known; an estimate while writing. */
  readonly bytesTotal: number | null;
  readonly bytesPerSecond: number;
  readonly etaSeconds: number | null;
};

const everyMs = 500;

/** Counts bytes of one stage. `end` tells the last figures. */
export function meter(
  stage: BackupStage,
  bytesTotal: number | null,
  on: (progress: BackupProgress) => void,
): { readonly moved: (bytes: number) => void; end(): void } {
  const startedMs = performance.now();
  let toldMs = startedMs;
  let bytes = 0;
  const tell = (nowMs: number) => {
    toldMs = nowMs;
    const bytesPerSecond = Math.round(bytes / Math.max(0.001, (nowMs - startedMs) / 1_000));
    const left = bytesTotal === null || bytes > bytesTotal || bytes === 0 ? null : bytesTotal - bytes;
    const etaSeconds = left === null ? null : Math.ceil(left / bytesPerSecond);
    on({ event: "progress", stage, bytes, bytesTotal, bytesPerSecond, etaSeconds });
  };
  return {
    moved(more) {
      bytes += more;
      const nowMs = performance.now();
      if (nowMs - toldMs >= everyMs) tell(nowMs);
    },
    end: () => tell(performance.now()),
  };
}

// Sums up the transfers in flight: how many, how much is left, and when the last one should be through.
import type { TransferView } from "../core/transfers.ts";

export type TransferSummary = {
  /** Imports too. */
  readonly uploads: number;
  readonly downloads: number;
  /** null where a client did not announce how much it sends. */
  readonly bytesLeft: number | null;
  /** Until the slowest is through at its mean speed so far; null where that cannot be told, 0 where nothing is in flight. */
  readonly etaSeconds: number | null;
};

export const noTransfers: TransferSummary = { uploads: 0, downloads: 0, bytesLeft: 0, etaSeconds: 0 };

export function summarizeTransfers(transfers: readonly TransferView[], nowMs: number): TransferSummary {
  return mergeSummaries(
    transfers.map((transfer) => {
      const bytesLeft = transfer.bytesTotal === null ? null : Math.max(0, transfer.bytesTotal - transfer.bytesDone);
      const bytesPerMs = transfer.bytesDone / Math.max(1, nowMs - transfer.startedMs);
      const known = bytesLeft !== null && bytesPerMs > 0;
      return {
        uploads: transfer.kind === "download" ? 0 : 1,
        downloads: transfer.kind === "download" ? 1 : 0,
        bytesLeft,
        etaSeconds: known ? Math.ceil(bytesLeft / bytesPerMs / 1000) : bytesLeft === 0 ? 0 : null,
      };
    }),
  );
}

/** Those of several processes together. */
export function mergeSummaries(summaries: readonly TransferSummary[]): TransferSummary {
  return summaries.reduce(
    (sum, one) => ({
      uploads: sum.uploads + one.uploads,
      downloads: sum.downloads + one.downloads,
      bytesLeft: sum.bytesLeft === null || one.bytesLeft === null ? null : sum.bytesLeft + one.bytesLeft,
      etaSeconds: sum.etaSeconds === null || one.etaSeconds === null ? null : Math.max(sum.etaSeconds, one.etaSeconds),
    }),
    noTransfers,
  );
}

// What staging and import need of a database. As uploads do, they hold a lease, in perennial_imports, whose times are the database's.
//
//   queued --beginStaging--> uploading + lease --finishStaging--> uploading
//   queued, uploading --beginImport--> importing + lease + task + lock --commit--> active
//                                         `--giveUp / expired + reclaim--> what the lease gives back
//   active --beginImport (copy-image)--> active + lease + task + lock --commit, giveUp--> active
//
// The lock is the property os_glance_import_task, which nodes of the reference see and set too. Only who holds the lease may remove the data
// that it names.
import type { ImageLocation } from "../image.ts";
import type { LeaseState, StoredData } from "../ports.ts";
import type { TaskDraft, TaskOutcome } from "../tasks/task.ts";

export type ImportLease = {
  readonly imageId: string;
  /** Random; fences a worker whose lease was taken over. */
  readonly leaseId: string;
  readonly node: string;
  /** null while data is being staged. */
  readonly taskId: string | null;
  /** The status of an image whose lease is given up because its process is gone: for `uploading` the staged data is kept. */
  readonly givesBack: "queued" | "uploading" | "active";
  /** URLs in stores under which data may lie that no image needs yet: removed when the lease is given up. */
  readonly urls: readonly string[];
};

export type ImportStart = {
  readonly lease: ImportLease & { readonly taskId: string };
  /** The status the image must be in. */
  readonly from: "queued" | "uploading" | "active";
  readonly task: TaskDraft;
  /** null where the release keeps no such properties. */
  readonly progress: ImportProgress | null;
};

/** Ids of stores; without several stores both are empty. */
export type ImportProgress = { readonly importing: readonly string[]; readonly failed: readonly string[] };

export type ImportBegun =
  /** The new task holds the lock. */
  | { readonly state: "begun" }
  | { readonly state: "wrong_status" }
  /** Another import is at work. */
  | { readonly state: "locked" };

/** The checksum is null where data that lay in its place already is not hashed yet, or never. */
export type ImportedData = Omit<StoredData, "url" | "metadata" | "checksum"> & {
  readonly checksum: string | null;
  /** The image's formats from now on; absent: they stay. */
  readonly becomes?: {
    readonly diskFormat: string;
    readonly containerFormat: string;
    /** Set beside those it has. */
    readonly properties?: Readonly<Record<string, string>>;
  };
};

export type ImportCommit = {
  /** Where the data now lies; an image that is importing becomes active by the first ones. */
  readonly locations: readonly Pick<ImageLocation, "url" | "metadata">[];
  /** What the data is; null where the image had data before. */
  readonly data: ImportedData | null;
  /** What giving up would remove from now on. */
  readonly urls: readonly string[];
  readonly progress: ImportProgress | null;
  /** Set with the last commit: the task ends, the lock goes, and the lease too, unless it still names data that is to be removed. */
  readonly outcome: TaskOutcome | null;
};

export type StagedData = {
  /** null where the release shows none before the image is active. */
  readonly sizeBytes: number | null;
  /** The URL of the node that has the data; null: nobody notes it. */
  readonly stageHost: string | null;
};

export interface ImportRepository {
  /** False where the image is not queued (any more). */
  beginStaging(lease: ImportLease, leaseSeconds: number): Promise<boolean>;
  /** The lease goes, the image stays in `uploading`. */
  finishStaging(lease: ImportLease, staged: StagedData): Promise<LeaseState>;
  /**
   * Status, lock, task and lease in one transaction. A lock is taken over where its task is finished or gone, or has shown no sign of life for
   * an hour (two while it is pending) and nobody holds a lease: that task ends as a failure.
   */
  beginImport(start: ImportStart, leaseSeconds: number): Promise<ImportBegun>;
  /** Extends the lease, and shows in the task that it is being worked on. Anything but `held` ends the work. */
  renew(lease: ImportLease, leaseSeconds: number): Promise<LeaseState>;
  /** `held` says that all of it was done. */
  commit(lease: ImportLease, commit: ImportCommit): Promise<LeaseState>;
  /** Sets properties of the image while the lease is held. */
  setProperties(lease: ImportLease, properties: Readonly<Record<string, string>>): Promise<LeaseState>;
  /**
   * Lease and lock go, the image becomes `status` (where it is still being staged or imported), the task ends. Changes nothing at all where
   * the lease is lost. `failed`: stores that did not get the data; null: those that the image says it waits for.
   */
  giveUp(
    lease: ImportLease,
    end: {
      readonly status: ImportLease["givesBack"];
      readonly failed: readonly string[] | null;
      readonly outcome: TaskOutcome | null;
    },
  ): Promise<void>;
  /** Takes over leases that have expired, each under a new leaseId; the caller cleans up, then gives up. */
  reclaim(node: string, options: { leaseSeconds: number; rowsMax: number }): Promise<readonly ImportLease[]>;
}

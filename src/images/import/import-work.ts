// The work of one import, after its client was answered: data goes from where it is into each store asked for, the image becomes active, the
// task says how it ended. Data first, rows second; whatever a process leaves behind when it dies is named by the lease.
import type { Readable } from "node:stream";
import { errorText, isServiceError, ServiceError } from "../../core/errors.ts";
import type { Transfer } from "../../core/transfers.ts";
import type { Store } from "../../stores/store.ts";
import { uploadGone } from "../held-lease.ts";
import type { Image, ImageLocation } from "../image.ts";
import { removeLeasedUrl } from "../leased-data.ts";
import type { ImageServicesDeps } from "../services.ts";
import type { Signature } from "../stream-work.ts";
import type { TaskOutcome } from "../tasks/task.ts";
import { UploadInspection } from "../upload-inspection.ts";
import { type UploadLimits, UploadMeter } from "../upload-meter.ts";
import { HeldImport } from "./held-import.ts";
import type { ImportedData, ImportLease } from "./import-repository.ts";
import { persistently } from "./persistently.ts";
import { dropStaged } from "./staged-data.ts";

export type ImportTarget = {
  /** null where stores have no names. */
  readonly id: string | null;
  readonly store: Store;
  /** What locations in this store note. */
  readonly metadata: ImageLocation["metadata"];
};

/** What an image is with this data, where that is not for its owner to say: data that was converted, or comes from another region. */
export type Becomes = NonNullable<ImportedData["becomes"]> & {
  /** Bytes of the disk inside, where they are known. */
  readonly virtualBytes: number | null;
};

export type OpenedSource = {
  readonly stream: Readable;
  /** null where that is not known. */
  readonly sizeBytes: number | null;
  /** Absent: what its owner says. */
  readonly becomes?: Becomes;
};

/** Where the data comes from. */
export type ImportSource = {
  /** Opens the data from its beginning: once for each store. */
  open(signal: AbortSignal): Promise<OpenedSource>;
  /** Data that waits on this node, and goes when it is imported. */
  readonly staged: boolean;
  /** Removes what opening it left behind; called once, in the end. */
  close?(): Promise<void>;
};

export type ImportJob = {
  readonly image: Image;
  readonly lease: ImportLease & { readonly taskId: string };
  readonly source: ImportSource;
  /** What the data has to have been signed with; null: nothing. */
  readonly signature: Signature | null;
  readonly targets: readonly ImportTarget[];
  readonly allMustSucceed: boolean;
  /** Clients see which stores are waited for and which failed, where the release shows it. */
  readonly showsProgress: boolean;
  /** Set before the first byte is stored. */
  readonly properties: Readonly<Record<string, string>>;
  readonly limits: Pick<UploadLimits, "bytesMax" | "bytesMaxOf">;
};

type Placed = Pick<ImageLocation, "url" | "metadata">;

export class ImportWork {
  readonly #deps: ImageServicesDeps;
  readonly #job: ImportJob;
  readonly #transfer: Transfer;
  readonly #held: HeldImport;
  /** URLs under which data may lie that no row names. */
  #loose: Set<string>;
  readonly #placed: Placed[] = [];
  readonly #failed: string[] = [];
  #remaining: readonly ImportTarget[];
  #data: ImportedData | null = null;

  /** Of a lease that was just taken. `transfer` is ended when the work is. */
  constructor(deps: ImageServicesDeps, job: ImportJob, transfer: Transfer) {
    this.#deps = deps;
    this.#job = job;
    this.#transfer = transfer;
    this.#held = new HeldImport(deps, job.lease);
    this.#loose = new Set(job.lease.urls);
    this.#remaining = job.targets;
  }

  /** Never rejects. `signal`: the process has to end. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#run(AbortSignal.any([signal, this.#held.signal]));
    } catch (error) {
      await this.#fail(error, signal);
    } finally {
      await this.#close();
      this.#transfer.end();
    }
  }

  async #close(): Promise<void> {
    const { source, image } = this.#job;
    await source.close?.().catch((error: unknown) => {
      this.#deps.logger.warn({ imageId: image.id, error: errorText(error) }, "an import left files behind");
    });
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { lease, properties, image } = this.#job;
    if (Object.keys(properties).length > 0) {
      const state = await this.#deps.imports.setProperties(lease, properties);
      if (state !== "held") throw uploadGone(image.id);
    }
    let last: unknown;
    for (const target of this.#job.targets) {
      signal.throwIfAborted();
      try {
        const placed = await this.#storeIn(target, signal);
        this.#remaining = this.#remaining.filter((one) => one !== target);
        await this.#note(placed);
      } catch (error) {
        if (this.#job.allMustSucceed || signal.aborted || isServiceError(error, "images.gone")) throw error;
        this.#deps.logger.warn(
          { imageId: this.#job.image.id, store: target.id, error: errorText(error) },
          "one of the stores of an import did not get the data",
        );
        last = error;
        this.#failed.push(...(target.id === null ? [] : [target.id]));
        this.#remaining = this.#remaining.filter((one) => one !== target);
      }
    }
    if (this.#placed.length === 0) throw last;
    await this.#held.stop();
    await this.#finish();
    if (this.#job.source.staged) await dropStaged(this.#deps, this.#job.image.id);
  }

  /** The first pass through the data also hashes and inspects it. */
  async #storeIn({ store, metadata }: ImportTarget, signal: AbortSignal): Promise<Placed> {
    const { image, source, signature, limits } = this.#job;
    const { settings } = this.#deps;
    const { stream, sizeBytes: announcedBytes, becomes } = await source.open(signal);
    const known = this.#data !== null || image.checksum !== null;
    const first = known
      ? ({ hashAlgorithm: null, inspection: null, unhashed: true } as const)
      : {
          hashAlgorithm: settings.hashAlgorithm,
          signature,
          inspection: UploadInspection.of({ ...image, ...becomes }, this.#deps),
        };
    const meter = UploadMeter.of(stream, {
      ...limits,
      ...first,
      announcedBytes,
      onBytes: this.#transfer.progress,
      sourceFailure,
    });
    try {
      const {
        url,
        sizeBytes,
        metadata: noted,
      } = await store.put(image.id, meter, {
        signal,
        expectedBytes: announcedBytes,
      });
      if (!known) {
        const { checksum, hash } = meter;
        const virtualSizeBytes = meter.virtualSizeBytes ?? becomes?.virtualBytes ?? null;
        this.#data = { sizeBytes, checksum, hash, virtualSizeBytes, ...(becomes ? { becomes } : {}) };
      }
      return { url, metadata: { ...noted, ...metadata } };
    } catch (error) {
      // Complete data that this import did not write is not this import's to remove.
      if (isServiceError(error, "stores.blob_exists")) this.#loose.delete(store.locationFor(image.id));
      throw error;
    } finally {
      stream.destroy();
    }
  }

  /** What clients see of the progress, and, where the first store is enough, the active image. The last commit is `#finish`'s. */
  async #note(placed: Placed): Promise<void> {
    this.#placed.push(placed);
    if (this.#remaining.length === 0) return;
    await this.#commit({ locations: this.#job.allMustSucceed ? [] : [placed], outcome: null });
  }

  /** Data of stores that failed goes first; a store that is away keeps it, and the lease for whoever removes it later. */
  async #finish(): Promise<void> {
    const placed = new Set(this.#placed.map(({ url }) => url));
    for (const url of [...this.#loose].filter((one) => !placed.has(one))) {
      const removed = removeLeasedUrl(this.#deps, url, this.#job.lease).then(() => true);
      if (await removed.catch(() => false)) this.#loose.delete(url);
    }
    const result = { image_id: this.#job.image.id };
    await this.#commit({ locations: this.#placed, outcome: { status: "success", result, message: "" } });
  }

  async #commit({ locations, outcome }: { locations: readonly Placed[]; outcome: TaskOutcome | null }): Promise<void> {
    const { imports, tasks } = this.#deps;
    const { lease, image, showsProgress } = this.#job;
    const importing = this.#remaining.flatMap(({ id }) => id ?? []);
    const progress = showsProgress ? { importing, failed: this.#failed } : null;
    const data = locations.length > 0 ? this.#data : null;
    const named = new Set(locations.map(({ url }) => url));
    const urls = [...this.#loose].filter((url) => !named.has(url));
    const { result: state, repeated } = await persistently(this.#deps, () =>
      imports.commit(lease, { locations, data, urls, progress, outcome }),
    );
    if (state === "held") {
      this.#loose = new Set(urls);
      return;
    }
    // After a lost reply the lease is gone for the best of reasons.
    if (state === "lease_lost" && repeated && outcome !== null) {
      const task = await tasks.find(lease.taskId, { projectId: null, isAdmin: true });
      if (task?.status === outcome.status) return;
    }
    throw uploadGone(image.id);
  }

  async #fail(error: unknown, signal: AbortSignal): Promise<void> {
    const { image, lease } = this.#job;
    const { logger } = this.#deps;
    const cut = signal.aborted;
    const facts = { imageId: image.id, taskId: lease.taskId, ...(isServiceError(error) ? {} : { err: error }) };
    logger.warn({ ...facts, error: errorText(error) }, cut ? "an import was cut" : "an import failed");
    await this.#held.stop();
    await this.#held.giveUp([...this.#loose], {
      // Where the process ends the data is as good as before; else it is what failed.
      status: cut || lease.givesBack === "active" ? lease.givesBack : "queued",
      failed: [...this.#failed, ...this.#remaining.flatMap(({ id }) => id ?? [])],
      outcome: { status: "failure", result: null, message: messageOf(error, cut) },
    });
  }
}

function sourceFailure(cause: unknown): ServiceError {
  if (isServiceError(cause)) return cause;
  return new ServiceError("images.source_failed", "The data broke off before its end.", { cause });
}

/** What an owner may read: of failures that we have no words for, the log has more. */
function messageOf(error: unknown, cut: boolean): string {
  if (cut) return "The node that worked on the import was stopped.";
  return isServiceError(error) ? error.message : "The import failed; the node's log says why.";
}

// What becomes of a queued image that got its first location, after the client was answered. Where the data must hash to something, it is
// hashed first, and only then the image becomes active; else it is active at once, and gets its hashes when they are known.
//
//   importing --hash as given--> active        importing --> active --hash--> active, with hashes
//       `--another, or never read--> queued
import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { errorText, isServiceError, ServiceError } from "../core/errors.ts";
import { returnPiece } from "../core/lent-pieces.ts";
import type { Transfer } from "../core/transfers.ts";
import { hashAlgorithms } from "./hash-algorithms.ts";
import { uploadGone } from "./held-lease.ts";
import type { Image, ImageLocation } from "./image.ts";
import { HeldImport } from "./import/held-import.ts";
import type { ImportCommit, ImportLease } from "./import/import-repository.ts";
import { persistently } from "./import/persistently.ts";
import type { ValidationData } from "./location-validation.ts";
import type { ContentHash } from "./ports.ts";
import type { ImageServicesDeps } from "./services.ts";
import { UploadMeter } from "./upload-meter.ts";

export type LocationJob = {
  readonly image: Image;
  readonly lease: ImportLease & { readonly taskId: string };
  readonly location: ImageLocation;
  readonly sizeBytes: number;
  readonly validation: ValidationData;
};

type Hashes = { readonly checksum: string | null; readonly hash: ContentHash | null };

export class LocationWork {
  readonly #deps: ImageServicesDeps;
  readonly #job: LocationJob;
  readonly #transfer: Transfer;
  readonly #held: HeldImport;

  /** Of a lease that was just taken. `transfer` is ended when the work is. */
  constructor(deps: ImageServicesDeps, job: LocationJob, transfer: Transfer) {
    this.#deps = deps;
    this.#job = job;
    this.#transfer = transfer;
    this.#held = new HeldImport(deps, job.lease);
  }

  /** Never rejects. `signal`: the process has to end. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#run(AbortSignal.any([signal, this.#held.signal]));
    } catch (error) {
      await this.#fail(error, signal.aborted);
    } finally {
      this.#transfer.end();
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { validation, location } = this.#job;
    const { secureHash } = this.#deps.settings;
    const given = hashOf(validation);
    if (!secureHash) await this.#finish({ checksum: null, hash: given }, [location]);
    else if (given) {
      const hashes = await this.#hashed(given.algorithm, signal);
      if (hashes.hash?.value !== given.value.toLowerCase())
        throw new ServiceError("images.unfit_data", "The data at the location hashes to something else than was said.");
      await this.#finish(hashes, [location]);
    } else {
      await this.#commit({ checksum: null, hash: null }, [location], null);
      await this.#finish(await this.#hashed(this.#deps.settings.hashAlgorithm, signal), []);
    }
  }

  /** Reads all of the data, and again from its beginning where it breaks off. */
  async #hashed(algorithm: string | null, signal: AbortSignal): Promise<Hashes> {
    const { hashRetries } = this.#deps.settings;
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      try {
        return await this.#hashOnce(algorithm, signal, attempt === 0 ? this.#transfer.progress : () => undefined);
      } catch (error) {
        if (signal.aborted || attempt >= hashRetries) throw error;
        const facts = { imageId: this.#job.image.id, error: errorText(error) };
        this.#deps.logger.warn(facts, "data of an added location could not be hashed; it is read again");
      }
    }
  }

  async #hashOnce(algorithm: string | null, signal: AbortSignal, onBytes: (bytes: number) => void): Promise<Hashes> {
    const { location, sizeBytes } = this.#job;
    const store = this.#deps.stores.of(location)?.store;
    if (!store) throw new ServiceError("stores.unavailable", "No store of this node reads the location any more.");
    const stream = await store.open(location.url, { signal });
    const meter = UploadMeter.of(stream, {
      announcedBytes: sizeBytes,
      bytesMax: sizeBytes,
      bytesMaxOf: "the size its store says it has",
      hashAlgorithm: hashAlgorithms.find((one) => one === algorithm) ?? null,
      inspection: null,
      onBytes,
      sourceFailure: (cause) =>
        new ServiceError("images.source_failed", "The data broke off before its end.", { cause }),
    });
    try {
      await pipeline(meter, new Writable({ write: throwAway }), { signal });
      return { checksum: meter.checksum, hash: meter.hash };
    } finally {
      stream.destroy();
    }
  }

  async #finish(hashes: Hashes, locations: readonly ImageLocation[]): Promise<void> {
    await this.#held.stop();
    const result = { image_id: this.#job.image.id };
    await this.#commit(hashes, locations, { status: "success", result, message: "" });
  }

  async #commit(
    { checksum, hash }: Hashes,
    locations: readonly ImageLocation[],
    outcome: ImportCommit["outcome"],
  ): Promise<void> {
    const { imports, tasks } = this.#deps;
    const { lease, image, sizeBytes } = this.#job;
    const data = { sizeBytes, checksum, hash, virtualSizeBytes: null };
    const { result: state, repeated } = await persistently(this.#deps, () =>
      imports.commit(lease, { locations, data, urls: [], progress: null, outcome }),
    );
    if (state === "held") return;
    // After a lost reply the lease is gone for the best of reasons.
    if (state === "lease_lost" && repeated && outcome !== null) {
      const task = await tasks.find(lease.taskId, { projectId: null, isAdmin: true });
      if (task?.status === outcome.status) return;
    }
    throw uploadGone(image.id);
  }

  /** An image that is active by now stays so, without hashes. */
  async #fail(error: unknown, cut: boolean): Promise<void> {
    const { image, lease } = this.#job;
    const facts = { imageId: image.id, taskId: lease.taskId, ...(isServiceError(error) ? {} : { err: error }) };
    this.#deps.logger.warn({ ...facts, error: errorText(error) }, "a location could not be added, or not be hashed");
    await this.#held.stop();
    const said = isServiceError(error) ? error.message : "It failed; the node's log says why.";
    const message = cut ? "The node that worked on it was stopped." : said;
    await this.#held.giveUp([], {
      status: "queued",
      failed: [],
      outcome: { status: "failure", result: null, message },
    });
  }
}

function throwAway(piece: Buffer, _encoding: BufferEncoding, done: () => void): void {
  returnPiece(piece);
  done();
}

function hashOf({ hashAlgorithm, hashValue }: ValidationData): ContentHash | null {
  return hashAlgorithm === null || hashValue === null ? null : { algorithm: hashAlgorithm, value: hashValue };
}

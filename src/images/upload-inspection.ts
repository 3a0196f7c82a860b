// Looks at the data of one upload while it passes: how large the disk inside is, whether it is of the format its owner says, and whether it is
// safe to open. Which formats there are and what makes them unsafe is known in formats/; here is when that ends an upload.
import { ServiceError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { FormatInspection } from "../formats/inspection.ts";
import { type Refusal, refusalOf, virtualBytesOf, warningsOf } from "../formats/judge.ts";
import type { Image } from "./image.ts";
import type { ImageSettings } from "./settings.ts";

/** Other containers are not looked into. */
const inspectedContainer = "bare";

export type UploadInspectionDeps = { readonly settings: ImageSettings; readonly logger: Logger };

export class UploadInspection {
  readonly #inspection: FormatInspection;
  readonly #image: Pick<Image, "id">;
  readonly #claimed: string;
  readonly #deps: UploadInspectionDeps;
  #judged = false;

  /** null where this data is not inspected: before Victoria, and in containers. */
  static of(
    image: Pick<Image, "id" | "diskFormat" | "containerFormat">,
    deps: UploadInspectionDeps,
  ): UploadInspection | null {
    const { diskFormat, containerFormat } = image;
    const inspected = deps.settings.contentInspection !== "none" && containerFormat === inspectedContainer;
    return inspected && diskFormat !== null ? new UploadInspection(image, diskFormat, deps) : null;
  }

  private constructor(image: Pick<Image, "id">, claimed: string, deps: UploadInspectionDeps) {
    this.#inspection = new FormatInspection({ vmdkTypes: deps.settings.vmdkTypesAllowed });
    this.#image = image;
    this.#claimed = claimed;
    this.#deps = deps;
  }

  /** images.unfit_data where this chunk shows that the upload cannot succeed; else null. */
  add(chunk: Buffer): ServiceError | null {
    this.#inspection.add(chunk);
    if (this.#judged || !this.#inspection.headersSeen) return null;
    this.#judged = true;
    return this.#refuses ? this.#error(refusalOf(this.#inspection, this.#claimed, this.#deps.settings, false)) : null;
  }

  /** To be called after the last byte: images.unfit_data, or null where all is well. An image without a byte always is. */
  end(): ServiceError | null {
    this.#inspection.end();
    if (this.#inspection.fileBytes === 0) return null;
    const { settings } = this.#deps;
    const refusal = refusalOf(this.#inspection, this.#claimed, settings, true);
    if (refusal && this.#refuses) return this.#error(refusal);
    for (const { check, text } of refusal ? [refusal] : warningsOf(this.#inspection, settings))
      this.#deps.logger.warn({ imageId: this.#image.id, check }, `data taken although: ${text}`);
    return null;
  }

  /** Bytes of the disk inside; known after `end`. null where the data does not say, or is of another format than claimed. */
  get virtualSizeBytes(): number | null {
    return virtualBytesOf(this.#inspection, this.#claimed);
  }

  get #refuses(): boolean {
    return this.#deps.settings.contentInspection === "refuses";
  }

  #error(refusal: Refusal | null): ServiceError | null {
    if (!refusal) return null;
    const next =
      refusal.check === "mismatch"
        ? "Set disk_format to what the data is, or upload other data."
        : "Convert it to an image that stands alone (qemu-img convert), and upload that.";
    return new ServiceError("images.unfit_data", `${refusal.text} ${next}`, { facts: { check: refusal.check } });
  }
}

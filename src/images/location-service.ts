// Locations by their own path, from 2024.2 on: services read them, and services and owners give a queued image its first one. What happens after
// the answer is location-work.ts's.
import { randomUUID } from "node:crypto";
import type { Caller } from "../core/caller.ts";
import { ServiceError } from "../core/errors.ts";
import { schemeOf } from "../stores/registry.ts";
import { forbidden, foundImage, requireAllowed } from "./access.ts";
import { addableLocation, measureAdded } from "./added-locations.ts";
import type { Image, ImageLocation } from "./image.ts";
import type { ImportLease } from "./import/import-repository.ts";
import { Turns } from "./import/turns.ts";
import { parseLocationUrl } from "./location-patch.ts";
import { noValidation, parseValidation, type ValidationData } from "./location-validation.ts";
import { LocationWork } from "./location-work.ts";
import type { ImageServicesDeps } from "./services.ts";

export interface LocationService {
  /** Throws images.not_found, images.forbidden (policy). */
  list(caller: Caller, imageId: string): Promise<readonly ImageLocation[]>;
  /**
   * When it resolves, the image is `importing` or `active`, and this process hashes its data where the operator wants that.
   * Throws images.invalid (body, URL, no data there, formats missing), images.not_found, images.forbidden, images.status_conflict (not queued, or
   * an import is at work), images.over_limit.
   */
  add(caller: Caller, imageId: string, body: unknown): Promise<void>;
  /** Ends what this process works on. */
  cut(): void;
}

const algorithms: readonly (string | null)[] = ["sha1", "sha256", "sha512", "md5"];

export function createLocationService(deps: ImageServicesDeps): LocationService {
  const turns = new Turns(deps.importing.importsMax);
  const cut = new AbortController();

  async function begin(caller: Caller, image: Image): Promise<ImportLease & { readonly taskId: string }> {
    const taskId = randomUUID();
    const lease = {
      imageId: image.id,
      leaseId: randomUUID(),
      node: deps.node,
      taskId,
      givesBack: "queued",
      // The data is not ours to remove: it was there before.
      urls: [],
    } as const;
    const task = {
      id: taskId,
      type: "location_import",
      owner: caller.projectId,
      // Without the URL, which may hold credentials.
      input: { image_id: image.id },
      imageId: image.id,
      requestId: caller.requestId,
      userId: caller.userId,
    } as const;
    const start = { lease, from: "queued", task, progress: null } as const;
    const { state } = await deps.imports.beginImport(start, deps.uploadLeaseSeconds);
    if (state === "wrong_status") throw conflict(`The status of image ${image.id} has just changed.`);
    if (state === "locked") throw conflict(`An import of image ${image.id} is at work.`);
    return lease;
  }

  return {
    async list(caller, imageId) {
      const image = await foundImage(deps, caller, imageId);
      requireAllowed(deps, "fetch_image_location", caller, image, `see locations of image ${image.id}`);
      return deps.stores.inOrder(image.locations);
    },

    async add(caller, imageId, body) {
      const { url, validation } = parseBody(body);
      const image = await foundImage(deps, caller, imageId);
      requireAllowed(deps, "add_image_location", caller, image, `add a location to image ${image.id}`);
      const trusted = caller.roles.includes("service");
      if (!trusted && !isOnTheWeb(deps, url))
        throw forbidden(
          "Without the role service only locations on the web (http, https) can be given, where a store reads them.",
        );
      if (image.status !== "queued") throw conflict(`Image ${image.id} is ${image.status}, and not queued.`);
      if (image.diskFormat === null || image.containerFormat === null)
        throw new ServiceError("images.invalid", "Set disk_format and container_format before the first location.");
      const location = addableLocation(deps, trusted ? null : image.id, { url, metadata: {} });
      const sizeBytes = (await measureAdded(deps, image, [location])) ?? 0;
      const lease = await begin(caller, image);
      const transfer = deps.transfers.begin({ kind: "import", imageId: image.id, bytesTotal: sizeBytes });
      const work = new LocationWork(deps, { image, lease, location, sizeBytes, validation }, transfer);
      turns
        .take(() => work.run(cut.signal))
        .catch((error: unknown) => deps.logger.error({ err: error, imageId: image.id }, "a location was added badly"));
    },

    cut: () => cut.abort(new ServiceError("stores.unavailable", "The node is being stopped.")),
  };
}

function isOnTheWeb({ stores }: Pick<ImageServicesDeps, "stores">, url: string): boolean {
  return ["http", "https"].includes(schemeOf(url)) && stores.of({ url, metadata: {} }) !== undefined;
}

function parseBody(body: unknown): { readonly url: string; readonly validation: ValidationData } {
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw invalid("it must be an object");
  const { url, validation_data, ...others } = body as Readonly<Record<string, unknown>>;
  const [other] = Object.keys(others);
  if (other !== undefined) throw invalid(`it has no member ${other.slice(0, 80)}`);
  if (typeof url !== "string" || url === "") throw invalid("it needs a url");
  const checked = parseLocationUrl(url);
  if (validation_data === undefined) return { url: checked, validation: noValidation };
  const validation = parseValidation(validation_data);
  if (validation.checksum !== null || !algorithms.includes(validation.hashAlgorithm))
    throw invalid("validation_data takes os_hash_value by sha1, sha256, sha512 or md5, and nothing else");
  return { url: checked, validation };
}

function invalid(what: string): ServiceError {
  return new ServiceError("images.invalid", `The body with the location: ${what}.`);
}

function conflict(message: string): ServiceError {
  return new ServiceError("images.status_conflict", message);
}

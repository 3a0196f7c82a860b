// The door of staging and import: what the API calls. It looks whether the client may do what it asks for, takes the lease, and hands the
// work to this process, which goes on after the answer.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import type { Caller } from "../../core/caller.ts";
import { ServiceError } from "../../core/errors.ts";
import type { ImportMethod } from "../../releases/capabilities.ts";
import { foundImage, requireAllowed, requireMutable, viewerOf } from "../access.ts";
import type { Image } from "../image.ts";
import { newImageDraft } from "../new-image.ts";
import { type LimitName, mebibytes, requireWithinLimits } from "../project-limits.ts";
import type { ImageAttributes, ImageServicesDeps, UploadOptions } from "../services.ts";
import { signatureOf } from "../signatures.ts";
import { storeWithin } from "../store-choice.ts";
import type { Task, TaskDraft } from "../tasks/task.ts";
import { requireTaskRule } from "../tasks/task-service.ts";
import { uploadLimits } from "../upload.ts";
import { createImportReaper, type ImportReaper } from "./import-reaper.ts";
import { type ImportRequest, importTargets, statusNeeded } from "./import-request.ts";
import { importSource } from "./import-source.ts";
import { type ImportJob, type ImportTarget, ImportWork } from "./import-work.ts";
import type { ImportSettings } from "./settings.ts";
import { stage } from "./stage.ts";
import { Turns } from "./turns.ts";
import { UriFilter } from "./uri-filter.ts";

/** What POST /v2/tasks asks for, its form checked. */
export type ImportTaskRequest = {
  readonly uri: string;
  /** The image's disk_format, where its attributes name none. */
  readonly format: string | null;
  readonly attributes: ImageAttributes;
  /** As the client sent it: the task keeps it. */
  readonly input: unknown;
};

export interface ImportService extends ImportReaper {
  /** Ways of importing that clients may use; empty where there is no import. */
  readonly methods: readonly ImportMethod[];
  /**
   * Reads `source` to its end. When it resolves, the data is durable and waits to be imported.
   * Throws as ImageDataService.upload.
   */
  stage(caller: Caller, imageId: string, source: Readable, options: UploadOptions): Promise<void>;
  /**
   * When it resolves, the image is `importing` (or, where it is copied, locked), and this process works on it.
   * Throws images.invalid (method, URI, stores), images.not_found, images.forbidden, images.status_conflict (also: another import is at work,
   * formats missing, no such store), images.not_staged_here, images.over_limit.
   */
  start(caller: Caller, imageId: string, request: ImportRequest): Promise<void>;
  /**
   * Makes an image and a task that fetches its data: the older way, for those who may use tasks. The image is there when it resolves.
   * `token`: as ImportRequest's. Throws images.invalid (URI, attributes, formats missing, signature), images.forbidden, images.duplicate,
   * images.over_limit.
   */
  startTask(caller: Caller, request: ImportTaskRequest, token?: string | null): Promise<Task>;
  /** Ends what this process works on: images go back to where they were. */
  cut(): void;
}

export function createImportService(deps: ImageServicesDeps): ImportService {
  const { importing, imports, stores, capabilities, logger } = deps;
  const filter = new UriFilter(importing.uriRules);
  const turns = new Turns(importing.importsMax);
  const cut = new AbortController();

  /** Throws as `start`. */
  async function importable(caller: Caller, imageId: string, { method }: ImportRequest): Promise<Image> {
    const image = await foundImage(deps, caller, imageId);
    const needed = statusNeeded[method.name];
    if (image.status !== needed)
      throw conflict(`Image ${image.id} is ${image.status}; ${method.name} needs one that is ${needed}.`);
    if (image.containerFormat === null || image.diskFormat === null)
      throw conflict(`Image ${image.id} needs a disk_format and a container_format before it can be imported.`);
    // What state the image is in everybody may know who sees it: only then it matters who asks.
    if (method.name === "copy-image") requireAllowed(deps, "copy_image", caller, image, `copy image ${image.id}`);
    else requireMutable(deps, "modify_image", caller, image, `import data of image ${image.id}`);
    return image;
  }

  /** Takes lock and lease. Throws images.status_conflict. */
  async function begin(
    image: Image,
    task: TaskDraft,
    targets: readonly ImportTarget[],
    { from, showsProgress }: { from: ImportJob["lease"]["givesBack"]; showsProgress: boolean },
  ): Promise<ImportJob["lease"]> {
    const lease = {
      imageId: image.id,
      leaseId: randomUUID(),
      node: deps.node,
      taskId: task.id,
      givesBack: from,
      urls: targets.map(({ store }) => store.locationFor(image.id)),
    };
    const ids = targets.flatMap(({ id }) => id ?? []);
    const progress = showsProgress ? { importing: ids, failed: [] } : null;
    const { state } = await imports.beginImport({ lease, from, task, progress }, deps.uploadLeaseSeconds);
    if (state === "wrong_status") throw conflict(`The status of image ${image.id} has just changed.`);
    if (state === "locked") throw conflict(`Another import of image ${image.id} is at work.`);
    return lease;
  }

  function work(job: ImportJob, bytesTotal: number | null): void {
    const transfer = deps.transfers.begin({ kind: "import", imageId: job.image.id, bytesTotal });
    const work = new ImportWork(deps, job, transfer);
    turns
      .take(() => work.run(cut.signal))
      .catch((error: unknown) => logger.error({ err: error, imageId: job.image.id }, "an import ended badly"));
  }

  return {
    methods: importing.methods,
    ...createImportReaper(deps),

    stage: (caller, imageId, source, options) => stage(deps, caller, imageId, source, options),

    async start(caller, imageId, request) {
      const { method } = request;
      if (!importing.methods.includes(method.name))
        throw new ServiceError(
          "images.invalid",
          `Import method ${method.name} is not enabled; there are ${importing.methods.join(", ")}.`,
        );
      if (method.name === "web-download") filter.parse(method.uri);
      const image = await importable(caller, imageId, request);
      const chosen = importTargets(image, request, { stores, several: capabilities.importToSeveral });
      // All stores have a copy: there is nothing to do, and that is well.
      if (chosen.length === 0) return;
      const targets = await Promise.all(
        chosen.map(async (target) => ({ ...target, store: await storeWithin(target.store, image.owner) })),
      );
      // Before the answer: the caller's token may have expired when the data comes.
      const token = request.token ?? null;
      const signature = method.name === "copy-image" ? null : await signatureOf(deps, image, token);
      const source = await importSource(deps, { image, method, token, filter, passes: targets.length });
      await requireWithinLimits(deps, caller, limitsOf(request, source.sizeBytes ?? 0));
      const limits = await uploadLimits(deps, caller, source.sizeBytes);
      const showsProgress = capabilities.importProgress;
      const task = newTask(caller, image, request, targets);
      const lease = await begin(image, task, targets, { from: statusNeeded[method.name], showsProgress });
      const bytesTotal = source.sizeBytes === null ? null : source.sizeBytes * targets.length;
      const { allMustSucceed } = request;
      const properties = method.name === "copy-image" ? {} : injectedFor(caller, importing);
      work({ image, lease, source, signature, targets, allMustSucceed, limits, properties, showsProgress }, bytesTotal);
    },

    async startTask(caller, { uri, format, attributes, input }, token = null) {
      requireTaskRule(deps, "add_task", caller);
      filter.parse(uri);
      const draft = newImageDraft(caller, { ...(format === null ? {} : { disk_format: format }), ...attributes }, deps);
      if (draft.diskFormat === null || draft.containerFormat === null)
        throw new ServiceError("images.invalid", "The image needs a disk_format and a container_format.");
      const signature = await signatureOf(deps, draft, token);
      const begun = { image_count_total: 1, image_size_total: 0, image_stage_total: 0, image_count_uploading: 1 };
      await requireWithinLimits(deps, caller, begun);
      const limits = await uploadLimits(deps, caller, null);
      const { defaultStore } = stores;
      const store = await storeWithin(defaultStore.store, draft.owner);
      const targets = [{ id: null, store, metadata: stores.metadataFor(defaultStore) }];
      const image = await deps.images.create(draft);
      const method = { name: "web-download", uri } as const;
      const source = await importSource(deps, { image, method, token, filter, passes: targets.length });
      const task = { ...newTask(caller, image, { body: null }, targets), type: "import", input } as const;
      const lease = await begin(image, task, targets, { from: "queued", showsProgress: false });
      const properties = injectedFor(caller, importing);
      const ofAll = { targets, allMustSucceed: true, limits, properties, showsProgress: false };
      work({ image, lease, source, signature, ...ofAll }, null);
      return (await deps.tasks.find(task.id, viewerOf(caller))) ?? assert.fail("a task just made is its maker's");
    },

    cut: () => cut.abort(new ServiceError("stores.unavailable", "The node is being stopped.")),
  };
}

/** What the operator has set on every image that is imported, but by those whose roles keep them from it. */
function injectedFor({ roles }: Caller, { plugins, injected }: ImportSettings): Readonly<Record<string, string>> {
  const spared = injected.ignoredRoles.some((role) => roles.includes(role));
  return plugins.includes("inject_image_metadata") && !spared ? injected.properties : {};
}

/** What was staged is counted as taken in already; the other ways begin now. */
function limitsOf({ method }: ImportRequest, bytes: number): Readonly<Partial<Record<LimitName, number>>> {
  if (method.name === "glance-direct") return { image_size_total: mebibytes(bytes) };
  return { image_size_total: 0, image_stage_total: mebibytes(bytes), image_count_uploading: 1 };
}

function newTask(
  caller: Caller,
  image: Image,
  { body }: Pick<ImportRequest, "body">,
  targets: readonly ImportTarget[],
): TaskDraft {
  return {
    id: randomUUID(),
    type: "api_image_import",
    owner: caller.projectId,
    input: { image_id: image.id, import_req: body, backend: targets.map(({ id }) => id) },
    imageId: image.id,
    requestId: caller.requestId,
    userId: caller.userId,
  };
}

function conflict(message: string): ServiceError {
  return new ServiceError("images.status_conflict", message);
}

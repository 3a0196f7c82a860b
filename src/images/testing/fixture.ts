// Everything a test of the domain needs: services of one or several nodes over one database and one store, both in memory, callers of two
// projects, and a clock that stands until it is moved.
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { Caller, Policy, PropertyProtections } from "../../core/caller.ts";
import type { Clock } from "../../core/clock.ts";
import { type ErrorCode, isServiceError, type ServiceError } from "../../core/errors.ts";
import { silentLogger } from "../../core/logger.ts";
import { TransferTracker } from "../../core/transfers.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import { type ReleaseId, releaseOf } from "../../releases/catalogue.ts";
import { PartFiles } from "../../stores/file/part-files.ts";
import type { ForeignNodes } from "../../stores/foreign-nodes.ts";
import { MemoryStore } from "../../stores/memory/memory-store.ts";
import { createStoreRegistry, type NamedStore } from "../../stores/registry.ts";
import type { Store } from "../../stores/store.ts";
import type { ScratchFiles } from "../import/conversion.ts";
import type { Regions } from "../import/remote-image.ts";
import type { ImportSettings } from "../import/settings.ts";
import type { KeyManager } from "../key-manager.ts";
import type { Notify } from "../notifications/notifier.ts";
import type { ImageCache } from "../ports.ts";
import type { ProjectLimits } from "../project-limits.ts";
import type { UploadParts } from "../resumable/upload-parts.ts";
import { createImageServices, type ImageAttributes, type ImageServices, type PatchOperation } from "../services.ts";
import type { ImageSettings } from "../settings.ts";
import { memoryImports } from "./memory-imports.ts";
import { MemoryDatabase, memoryImages, memoryMembers, memoryUploads } from "./memory-repositories.ts";
import { memoryTasks } from "./memory-tasks.ts";

const person = (projectId: string | null, isAdmin = false): Caller => ({
  userId: "user",
  projectId,
  roles: isAdmin ? ["admin"] : ["member"],
  isAdmin,
  requestId: "req-test",
});
export const admin = person(null, true);
export const alice = person("alice");
export const bob = person("bob");
export const carol = person("carol");

export const never = new AbortController().signal;
export const leaseSeconds = 60;

/** Time stands still; `advance` moves it and wakes the sleepers whose time has come. */
export class ManualClock implements Clock {
  #nowMs = 1_000_000;
  readonly #sleepers = new Set<{ wakeMs: number; wake: () => void }>();

  nowMs = (): number => this.#nowMs;
  monotonicMs = (): number => this.#nowMs;

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { wakeMs: this.#nowMs + ms, wake: resolve };
      if (signal?.aborted) return reject(signal.reason);
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      });
    });
  }

  get sleepers(): number {
    return this.#sleepers.size;
  }

  /** Lets what was woken run before it returns. */
  async advance(ms: number): Promise<void> {
    this.#nowMs += ms;
    for (const sleeper of this.#sleepers)
      if (sleeper.wakeMs <= this.#nowMs) {
        this.#sleepers.delete(sleeper);
        sleeper.wake();
      }
    await settled();
  }
}

/** Until everything that can run without outside events has run. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export const settingsOf = (release: ReleaseId, changes: Partial<ImageSettings> = {}): ImageSettings => ({
  membersMax: 3,
  propertiesMax: 5,
  tagsMax: 5,
  locationsMax: 3,
  delayedDelete: false,
  secureHash: true,
  hashRetries: 1,
  imageBytesMax: 10_000_000,
  projectBytesMax: null,
  unifiedLimits: false,
  multiStore: false,
  pageImagesDefault: 3,
  pageImagesMax: 10,
  showDirectUrl: false,
  showLocations: false,
  containerFormats: releaseOf(release).capabilities.containerFormats,
  diskFormats: releaseOf(release).capabilities.diskFormats,
  hashAlgorithm: releaseOf(release).capabilities.multihash ? "sha512" : null,
  contentInspection: releaseOf(release).capabilities.contentInspection,
  vmdkTypesAllowed: ["streamOptimized", "monolithicSparse"],
  resumableSeconds: null,
  gptChecksNonfatal: [],
  ...changes,
});

const anything = { allowed: [], disallowed: [] };

/** What the release has, for URLs on this machine. */
export const importSettingsOf = ({ importMethodsDefault }: Capabilities): ImportSettings => ({
  methods: importMethodsDefault,
  stagingFolder: "/staging",
  selfUrl: null,
  taskLifeHours: 48,
  importsMax: 2,
  plugins: [],
  convertsTo: "raw",
  copiedProperties: ["hw_", "os_distro"],
  injected: { properties: {}, ignoredRoles: ["admin"] },
  uriRules: { schemes: anything, hosts: { allowed: ["127.0.0.1", "localhost"], disallowed: [] }, ports: anything },
});

/** The default policies of Newton and Ocata: publicizing is an admin's, all else everybody's. */
export const defaultPolicy: Policy = { allows: (rule, caller) => caller.isAdmin || rule !== "publicize_image" };

/**
 * Lets a process die or stand still. Once dead, nothing it calls is done and nothing it called answers any more. While it stands still (a
 * stopped process, a frozen machine) its calls and the answers to them wait, timers included, and the world goes on.
 */
export class Life {
  dead = false;
  #moving: PromiseWithResolvers<void> | undefined;

  stall(): void {
    this.#moving ??= Promise.withResolvers();
  }

  resume(): void {
    this.#moving?.resolve();
    this.#moving = undefined;
  }

  wrap<T extends object>(part: T): T {
    return new Proxy(part, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => {
          if (this.dead) return new Promise(() => undefined);
          if (this.#moving) return this.#lived(this.#moving.promise.then(() => member.apply(target, args)));
          const result: unknown = member.apply(target, args);
          return result instanceof Promise ? this.#lived(result) : result;
        };
      },
    });
  }

  #lived(answer: Promise<unknown>): Promise<unknown> {
    const moving = async () => {
      while (this.#moving) await this.#moving.promise;
      if (this.dead) await new Promise(() => undefined);
    };
    return answer.then(
      async (value) => {
        await moving();
        return value;
      },
      async (error: unknown) => {
        await moving();
        throw error;
      },
    );
  }
}

export type NodeOptions = {
  readonly life?: Life;
  readonly release?: ReleaseId;
  readonly settings?: Partial<ImageSettings>;
  readonly policy?: Policy;
  readonly protections?: PropertyProtections;
  readonly limits?: ProjectLimits;
  readonly node?: string;
  readonly store?: Store;
  readonly staging?: Store | null;
  readonly scratch?: ScratchFiles;
  readonly parts?: UploadParts;
  readonly notify?: Notify;
  readonly regions?: Regions;
  readonly keys?: KeyManager;
  readonly importing?: Partial<ImportSettings>;
  /** Several stores by name, the first of them the default; in the place of `store`. */
  readonly stores?: readonly NamedStore[];
  readonly foreignNodes?: ForeignNodes;
  /** Downloads are cached in it. */
  readonly cache?: ImageCache;
};

export class Fixture {
  readonly clock = new ManualClock();
  readonly database = new MemoryDatabase(this.clock.nowMs);
  readonly store = new MemoryStore();
  /** Shared by all nodes that do not bring their own. */
  readonly staging = new MemoryStore({ name: "staging" });
  /** Shared by all nodes too. Made when it is needed; whoever needs it removes it. */
  readonly partsFolder = join(tmpdir(), `perennial-parts-${randomUUID()}`);
  readonly parts = new PartFiles(this.partsFolder);
  readonly transfers = new TransferTracker();

  /** The services of one more node on the same database and store. */
  node({ release = "ocata", settings, policy, node, ...options }: NodeOptions = {}): ImageServices {
    const { capabilities } = releaseOf(release);
    const life = options.life ?? new Life();
    const given = options.store ?? this.store;
    const { put, open, size, remove } = life.wrap(given);
    const locationFor = (key: string) => given.locationFor(key);
    const store: Store = {
      properties: given.properties,
      owns: (url) => given.owns(url),
      locationFor,
      put,
      open,
      size,
      remove,
      close: async () => undefined,
    };
    return createImageServices({
      images: life.wrap(memoryImages(this.database, capabilities)),
      members: life.wrap(memoryMembers(this.database, capabilities)),
      uploads: life.wrap(memoryUploads(this.database)),
      tasks: life.wrap(memoryTasks(this.database)),
      imports: life.wrap(memoryImports(this.database)),
      staging: options.staging === undefined ? this.staging : options.staging,
      ...(options.regions ? { regions: options.regions } : {}),
      ...(options.keys ? { keys: options.keys } : {}),
      ...(options.foreignNodes ? { foreignNodes: options.foreignNodes } : {}),
      ...(options.scratch ? { scratch: options.scratch } : {}),
      parts: options.parts ?? this.parts,
      ...(options.notify ? { notify: options.notify } : {}),
      stagedKeys: async () => this.staging.keys,
      importing: { ...importSettingsOf(capabilities), ...options.importing },
      stores: createStoreRegistry({
        stores: options.stores ?? [{ id: "memory", type: "memory", description: null, weight: 0, store }],
        defaultId: options.stores?.[0]?.id ?? "memory",
        key: options.stores ? capabilities.locationStoreKey : null,
        weighed: capabilities.stores.weights,
      }),
      policy: policy ?? defaultPolicy,
      ...(options.protections ? { protections: options.protections } : {}),
      ...(options.limits ? { limits: options.limits } : {}),
      capabilities,
      settings: settingsOf(release, settings),
      node: node ?? `node-${randomUUID()}`,
      uploadLeaseSeconds: leaseSeconds,
      logger: silentLogger,
      // Reading the time needs nobody's answer; waiting does.
      clock: { ...this.clock, sleep: life.wrap({ sleep: this.clock.sleep.bind(this.clock) }).sleep },
      transfers: this.transfers,
      ...(options.cache ? { cache: options.cache, cachesDownloads: true } : {}),
    });
  }
}

/** Stores in memory by name. `changes`: what is otherwise than usual, by id. */
export function namedStores(
  ids: readonly string[],
  changes: Readonly<Record<string, Partial<NamedStore>>> = {},
): readonly NamedStore[] {
  return ids.map((id) => ({
    id,
    type: "memory",
    description: null,
    weight: 0,
    store: new MemoryStore({ name: id }),
    ...changes[id],
  }));
}

/** The same store, which only gives data. */
export function readOnlyStore(store: Store): Store {
  const properties = { ...store.properties, writable: false };
  return new Proxy(store, {
    get(target, name) {
      if (name === "properties") return properties;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

/** Removing anything fails with `refusal()`, as long as that gives something. */
export function keepingStore(store: Store, refusal: () => ServiceError | null): Store {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (name === "remove")
        return async (url: string) => {
          const error = refusal();
          if (error) throw error;
          await target.remove(url);
        };
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

export const formats: ImageAttributes = { disk_format: "raw", container_format: "bare" };

export const patch = (...operations: PatchOperation[]) => ({ operations, addRefusesExisting: false });

export async function read(services: ImageServices, caller: Caller, imageId: string): Promise<Buffer> {
  return buffer((await services.data.download(caller, imageId, { signal: never })).stream);
}

/** Uploads `data` whole, its size announced. */
export async function send(services: ImageServices, caller: Caller, imageId: string, data: Buffer): Promise<void> {
  const options = { signal: never, announcedBytes: data.length };
  await services.data.upload(caller, imageId, Readable.from(data.length === 0 ? [] : [data]), options);
}

/** For assert.rejects and assert.throws: a ServiceError of this code, with a text for people. */
export const withCode = (code: ErrorCode) => (error: unknown) => {
  if (isServiceError(error, code) && /^["/[A-Z].*\.$/s.test(error.message)) return true;
  throw error;
};

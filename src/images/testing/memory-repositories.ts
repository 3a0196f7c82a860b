// The domain's ports in memory, for tests of the domain's rules: one "database" that several services (nodes) can share. Whatever the ports
// promise about transactions holds by itself here, for every method runs without a pause; faults are switched on by name.
import { ServiceError } from "../../core/errors.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import { imageNotFound, takesMembers } from "../access.ts";
import type { Image, ImageMember, Timestamp } from "../image.ts";
import type { ImportLease } from "../import/import-repository.ts";
import type { ImageRepository, LeaseState, MemberRepository, UploadLease, UploadRepository, Viewer } from "../ports.ts";
import { mayBecome } from "../status.ts";
import type { Task } from "../tasks/task.ts";
import { activated, changedLocations } from "./memory-locations.ts";
import { usageOf } from "./memory-usage.ts";

type Row = Image & { readonly deleted: boolean };
type Lease = UploadLease & { readonly expiresMs: number };

export class MemoryDatabase {
  readonly images = new Map<string, Row>();
  readonly members = new Map<string, ImageMember>();
  readonly leases = new Map<string, Lease>();
  readonly tasks = new Map<string, Task>();
  readonly importLeases = new Map<string, ImportLease & { readonly expiresMs: number }>();
  /** Methods of repositories that fail, with what they throw: before their work, or (key with a trailing `!`) after it. */
  readonly faults = new Map<string, Error>();
  readonly nowMs: () => number;
  #ticks = 0;

  /** `nowMs`: the database's clock, by which leases expire. */
  constructor(nowMs: () => number = () => 0) {
    this.nowMs = nowMs;
  }

  /** Later for every call, so that orders are certain. */
  now(): Timestamp {
    this.#ticks += 1;
    return new Date(Date.UTC(2026, 10, 23) + this.#ticks * 1_000).toISOString().replace(".000", "");
  }

  live(id: string): Row | undefined {
    const row = this.images.get(id);
    return row?.deleted ? undefined : row;
  }

  write(id: string, changes: Partial<Row>): Row {
    const row = this.live(id);
    if (!row) throw imageNotFound(id);
    if (changes.status !== undefined && !mayBecome(row.status, changes.status))
      throw new Error(`a service made an image ${changes.status} that was ${row.status}`);
    const written = { ...row, updatedAt: this.now(), ...changes };
    this.images.set(id, written);
    return written;
  }

  /** Wraps every method of a repository so that faults can strike it. */
  guarded<T extends object>(room: string, repository: T): T {
    return new Proxy(repository, {
      get: (target, name, receiver) => {
        const method: unknown = Reflect.get(target, name, receiver);
        if (typeof method !== "function") return method;
        return async (...args: unknown[]) => {
          const before = this.faults.get(`${room}.${String(name)}`);
          if (before) throw before;
          const result: unknown = await method.apply(target, args);
          const after = this.faults.get(`${room}.${String(name)}!`);
          if (after) throw after;
          return result;
        };
      },
    });
  }
}

export function memoryImages(database: MemoryDatabase, capabilities: Capabilities): ImageRepository {
  const visible = (row: Row, { isAdmin, projectId }: Viewer) =>
    isAdmin ||
    row.owner === null ||
    row.visibility === "public" ||
    row.visibility === "community" ||
    row.owner === projectId ||
    (takesMembers(capabilities, row.visibility) && database.members.has(`${row.id} ${projectId}`));

  return database.guarded<ImageRepository>("images", {
    async create(draft) {
      if (database.images.has(draft.id)) throw new ServiceError("images.duplicate", `Image ${draft.id} exists.`);
      const at = database.now();
      const made = {
        createdAt: at,
        updatedAt: at,
        locations: [],
        sizeBytes: null,
        virtualSizeBytes: null,
        checksum: null,
        hashAlgorithm: null,
        hashValue: null,
      };
      database.images.set(draft.id, { ...draft, ...made, status: "queued", deleted: false });
      return database.write(draft.id, {});
    },
    async find(id, viewer) {
      const row = database.live(id);
      return row && visible(row, viewer) ? row : undefined;
    },
    async list({ viewer, limit, marker, hidden }) {
      const rows = [...database.images.values()]
        .filter((row) => !row.deleted && visible(row, viewer) && (hidden === undefined || row.hidden === hidden))
        .reverse();
      const from = marker === undefined ? 0 : rows.findIndex((row) => row.id === marker) + 1;
      return rows.slice(from, from + limit);
    },
    async update(id, { set, tags, properties, locations, whileStatus, activation }) {
      const row = database.live(id);
      if (!row) throw imageNotFound(id);
      if (whileStatus && !whileStatus.includes(row.status))
        throw new ServiceError("images.status_conflict", `Image ${id} is ${row.status}.`);
      const kept = new Map([...Object.entries(row.properties), ...Object.entries(properties?.set ?? {})]);
      for (const name of properties?.remove ?? []) kept.delete(name);
      return database.write(id, {
        ...set,
        tags: tags ?? row.tags,
        properties: Object.fromEntries(kept),
        ...(locations ? { locations: changedLocations(database, row, locations) } : {}),
        ...(activation ? activated(activation) : {}),
      });
    },
    async changeStatus(id, from, to) {
      const row = database.live(id);
      if (!row || !from.includes(row.status)) return false;
      database.write(id, { status: to });
      return true;
    },
    async remove(id, { leaseId, node, leaseSeconds }, { delayed = false } = { delayed: false }) {
      const row = database.live(id);
      if (!row) return undefined;
      if (row.protected) throw new ServiceError("images.forbidden", `Image ${id} is protected.`);
      const kept = delayed && row.locations.length > 0;
      database.write(id, {
        status: kept ? "pending_delete" : "deleted",
        deleted: true,
        ...(kept ? {} : { locations: [] }),
      });
      if (kept || database.leases.has(id) || row.locations.length === 0) return { cleanup: null };
      const cleanup = { imageId: id, leaseId, node, urls: row.locations.map(({ url }) => url) };
      database.leases.set(id, { ...cleanup, expiresMs: database.nowMs() + leaseSeconds * 1_000 });
      return { cleanup, takeBack: (lostUrls) => tookBack(database, cleanup, row, lostUrls) };
    },
    async removeLocation(id, url, { leaseId, node, leaseSeconds }) {
      const row = database.live(id);
      const left = row?.locations.filter((location) => location.url !== url) ?? [];
      if (!row || left.length === row.locations.length) throw imageNotFound(id);
      if (left.length === 0) throw new ServiceError("images.forbidden", "It is the last location.");
      if (row.status !== "active" || database.leases.has(id))
        throw new ServiceError("images.status_conflict", `Image ${id} is being worked on.`);
      database.write(id, { locations: left });
      const lease = { imageId: id, leaseId, node, urls: [url] };
      database.leases.set(id, { ...lease, expiresMs: database.nowMs() + leaseSeconds * 1_000 });
      return { cleanup: lease, takeBack: (lostUrls) => tookBack(database, lease, row, lostUrls) };
    },
    async noteLocations(id, locations) {
      const row = database.live(id);
      if (!row) return;
      const byUrl = new Map(locations.map((location) => [location.url, location]));
      const noted = row.locations.map((location) => byUrl.get(location.url) ?? location);
      database.images.set(id, { ...row, locations: noted });
    },
    async storageUsed(owner) {
      return [...database.images.values()]
        .filter((row) => !row.deleted && row.owner === owner)
        .reduce((bytes, row) => bytes + (row.sizeBytes ?? 0) * row.locations.length, 0);
    },
    projectUsage: async (owner) =>
      usageOf([...database.images.values()].filter((row) => !row.deleted && row.owner === owner)),
    async addTag(id, tag, tagsMax) {
      const tags = new Set(database.live(id)?.tags).add(tag);
      if (tagsMax >= 0 && tags.size > tagsMax) throw new ServiceError("images.over_limit", "Too many tags.");
      database.write(id, { tags: [...tags] });
    },
    async removeTag(id, tag) {
      const tags = database.live(id)?.tags ?? [];
      if (!tags.includes(tag)) return false;
      database.write(id, { tags: tags.filter((kept) => kept !== tag) });
      return true;
    },
  });
}

/** `before`: the row as it was. */
async function tookBack(
  database: MemoryDatabase,
  { imageId, leaseId }: UploadLease,
  before: Row,
  lostUrls: readonly string[],
): Promise<boolean> {
  const now = database.images.get(imageId);
  if (database.leases.get(imageId)?.leaseId !== leaseId || !now) return false;
  const locations = before.locations.filter(({ url }) => !lostUrls.includes(url));
  database.images.set(imageId, { ...before, locations });
  return database.leases.delete(imageId);
}

export function memoryMembers(database: MemoryDatabase, capabilities: Capabilities): MemberRepository {
  return database.guarded<MemberRepository>("members", {
    async list(imageId) {
      return [...database.members.values()].filter((member) => member.imageId === imageId);
    },
    async find(imageId, memberId) {
      return database.members.get(`${imageId} ${memberId}`);
    },
    async add(imageId, memberId, membersMax) {
      const image = database.live(imageId);
      if (!image || !takesMembers(capabilities, image.visibility))
        throw new ServiceError("images.forbidden", `Image ${imageId} takes no members.`);
      const others = await this.list(imageId);
      if (others.some((member) => member.memberId === memberId))
        throw new ServiceError("images.duplicate", `Project ${memberId} is a member already.`);
      if (membersMax >= 0 && others.length >= membersMax)
        throw new ServiceError("images.over_limit", "Too many members.");
      const at = database.now();
      const member = { imageId, memberId, status: "pending", createdAt: at, updatedAt: at } as const;
      database.members.set(`${imageId} ${memberId}`, member);
      return member;
    },
    async setStatus(imageId, memberId, status) {
      const member = database.members.get(`${imageId} ${memberId}`);
      if (!member) return undefined;
      const changed = { ...member, status, updatedAt: database.now() };
      database.members.set(`${imageId} ${memberId}`, changed);
      return changed;
    },
    async remove(imageId, memberId) {
      return database.members.delete(`${imageId} ${memberId}`);
    },
  });
}

export function memoryUploads(database: MemoryDatabase): UploadRepository {
  const until = (leaseSeconds: number) => database.nowMs() + leaseSeconds * 1_000;
  const holds = (lease: UploadLease) => database.leases.get(lease.imageId)?.leaseId === lease.leaseId;
  const stateOf = (lease: UploadLease): LeaseState => {
    if (!holds(lease)) return "lease_lost";
    return database.live(lease.imageId)?.status === "saving" ? "held" : "image_gone";
  };

  return database.guarded<UploadRepository>("uploads", {
    async begin(lease, leaseSeconds) {
      if (database.live(lease.imageId)?.status !== "queued") return false;
      database.write(lease.imageId, { status: "saving" });
      database.leases.set(lease.imageId, { ...lease, expiresMs: until(leaseSeconds) });
      return true;
    },
    async renew(lease, leaseSeconds) {
      const state = stateOf(lease);
      if (state !== "lease_lost") database.leases.set(lease.imageId, { ...lease, expiresMs: until(leaseSeconds) });
      return state;
    },
    async finish(lease, { url, metadata, sizeBytes, checksum, hash, virtualSizeBytes }) {
      const state = stateOf(lease);
      if (state !== "held") return state;
      const locations = [{ url, metadata, status: "active" }];
      const hashes = { checksum, hashAlgorithm: hash?.algorithm ?? null, hashValue: hash?.value ?? null };
      database.write(lease.imageId, { status: "active", sizeBytes, ...hashes, virtualSizeBytes, locations });
      database.leases.delete(lease.imageId);
      return state;
    },
    async abandon(lease) {
      const state = stateOf(lease);
      if (state === "held") database.write(lease.imageId, { status: "queued", sizeBytes: null });
      if (state !== "lease_lost") database.leases.delete(lease.imageId);
    },
    async find(imageId) {
      const found = database.leases.get(imageId);
      if (!found) return undefined;
      const { expiresMs, ...lease } = found;
      return { lease, expired: expiresMs < database.nowMs() };
    },
    async replace({ imageId, leaseId }, next, leaseSeconds) {
      if (database.leases.get(imageId)?.leaseId !== leaseId) return false;
      database.leases.set(imageId, { ...next, expiresMs: until(leaseSeconds) });
      return true;
    },
    async reclaim(node, { leaseSeconds, rowsMax }) {
      const expired = [...database.leases.values()].filter(({ expiresMs }) => expiresMs < database.nowMs());
      return expired.slice(0, rowsMax).map(({ imageId, urls }, index) => {
        const taken = { imageId, urls, node, leaseId: `${node}-${database.now()}-${index}` };
        database.leases.set(imageId, { ...taken, expiresMs: until(leaseSeconds) });
        return taken;
      });
    },
  });
}

// Metadata definitions in memory, for tests of what stands above the database. The conformance suite beside it holds it to the same promises.
import type { Clock } from "../../core/clock.ts";
import { duplicate, isProtected, notFound } from "../failures.ts";
import type {
  Association,
  AssociationDraft,
  MetadefObject,
  MetadefProperty,
  MetadefTag,
  Namespace,
  ObjectDraft,
  PropertyDraft,
  ResourceType,
} from "../metadef.ts";
import type { MetadefRepository, Paging, PartRepository } from "../ports.ts";

type Stamped<T> = T & { readonly rowId: number; readonly createdAt: string; readonly updatedAt: string | null };
type Named = { readonly name: string };

export function createMemoryMetadefs(clock: Clock): MetadefRepository {
  const namespaces = new Map<number, Namespace>();
  const types: ResourceType[] = [];
  let lastId = 0;
  const stamps = () => {
    const now = `${new Date(clock.nowMs()).toISOString().slice(0, 19)}Z`;
    return { createdAt: now, updatedAt: now, rowId: ++lastId };
  };
  const required = (id: number) => {
    const namespace = namespaces.get(id);
    if (!namespace) throw notFound("namespace", String(id));
    return namespace;
  };

  const removable = (id: number) => {
    const namespace = required(id);
    if (namespace.protected) throw isProtected(namespace.namespace);
  };

  class Parts<Part extends Named, Draft extends Named> implements PartRepository<Part, Draft> {
    readonly rows = new Map<number, Stamped<Part>[]>();
    readonly #make: (draft: Draft) => Omit<Part, "createdAt" | "updatedAt">;
    readonly #newestFirst: boolean;

    constructor(make: (draft: Draft) => Omit<Part, "createdAt" | "updatedAt">, newestFirst: boolean) {
      this.#make = make;
      this.#newestFirst = newestFirst;
    }

    of(id: number): Stamped<Part>[] {
      const rows = this.rows.get(id) ?? [];
      this.rows.set(id, rows);
      return rows;
    }

    async list(id: number): Promise<readonly Part[]> {
      return this.#newestFirst ? this.of(id).toReversed() : this.of(id);
    }

    async find(id: number, name: string): Promise<Part | undefined> {
      return this.of(id).find((part) => part.name === name);
    }

    async add(id: number, draft: Draft): Promise<Part> {
      required(id);
      const rows = this.of(id);
      if (rows.some((part) => part.name === draft.name)) throw duplicate(`${draft.name} exists already.`);
      const part = { ...this.#make(draft), ...stamps() } as unknown as Stamped<Part>;
      rows.push(part);
      return part;
    }

    async update(id: number, name: string, draft: Draft): Promise<Part | undefined> {
      required(id);
      const rows = this.of(id);
      const at = rows.findIndex((part) => part.name === name);
      const old = rows[at];
      if (!old) return undefined;
      if (rows.some((part, other) => other !== at && part.name === draft.name))
        throw duplicate(`${draft.name} exists already.`);
      const part = { ...old, ...this.#make(draft), updatedAt: stamps().updatedAt } as Stamped<Part>;
      rows[at] = part;
      return part;
    }

    async remove(id: number, name: string): Promise<boolean> {
      required(id);
      const rows = this.of(id);
      if (!rows.some((part) => part.name === name)) return false;
      removable(id);
      this.rows.set(
        id,
        rows.filter((part) => part.name !== name),
      );
      return true;
    }

    async clear(id: number): Promise<void> {
      removable(id);
      this.rows.delete(id);
    }
  }

  const objects = new Parts<MetadefObject, ObjectDraft>(
    ({ name, description, required: names, properties }) =>
      ({ name, description, required: names ?? [], properties }) as Omit<MetadefObject, "createdAt" | "updatedAt">,
    false,
  );
  const properties = new Parts<MetadefProperty, PropertyDraft>((draft) => draft as MetadefProperty, false);
  const tags = new Parts<MetadefTag, Named>(({ name }) => ({ name }), true);
  const associations = new Parts<Association, AssociationDraft>((draft) => draft, false);
  const children = [objects, properties, tags, associations];

  const associate = async (id: number, draft: AssociationDraft): Promise<Association> => {
    const made = await associations.add(id, draft);
    if (!types.some((type) => type.name === draft.name)) types.push({ name: draft.name, ...stamps() });
    return made;
  };
  const refuseTaken = (name: string, except?: number) => {
    for (const one of namespaces.values())
      if (one.namespace === name && one.id !== except) throw duplicate(`${name} exists already.`);
  };

  return {
    objects,
    properties,
    tags: {
      list: (id) => tags.list(id),
      find: (id, name) => tags.find(id, name),
      add: (id, draft) => tags.add(id, draft),
      update: (id, name, draft) => tags.update(id, name, draft),
      remove: (id, name) => tags.remove(id, name),
      clear: (id) => tags.clear(id),
      page: async (id, paging) => {
        const columns = (tag: Stamped<MetadefTag>) => ({ ...columnsOf(tag), name: tag.name, id: tag.rowId });
        return pageOf(tags.of(id), paging, columns, (tag) => tag.name);
      },
      async addAll(id, names, { append }) {
        required(id);
        const taken = append ? tags.of(id).map(({ name }) => name) : [];
        if (new Set([...taken, ...names]).size !== taken.length + names.length)
          throw duplicate("A tag exists already.");
        if (!append) tags.rows.delete(id);
        for (const name of names) await tags.add(id, { name });
      },
    },
    associations: {
      list: (id) => associations.list(id),
      add: associate,
      remove: (id, name) => associations.remove(id, name),
    },
    resourceTypes: async () => types,
    find: async (name) => [...namespaces.values()].find((one) => one.namespace === name),

    async list(query) {
      const { viewer, visibility, resourceTypes } = query;
      const seen = [...namespaces.values()].filter(
        (one) => viewer.isAdmin || one.visibility === "public" || one.owner === viewer.projectId,
      );
      const matches = (one: Namespace) =>
        (visibility === undefined || one.visibility === visibility) &&
        (!resourceTypes || associations.of(one.id).some(({ name }) => resourceTypes.includes(name)));
      const columns = (one: Namespace) => ({
        ...columnsOf(one),
        namespace: one.namespace,
        display_name: one.displayName,
        description: one.description,
        visibility: one.visibility,
        protected: one.protected ? 1 : 0,
        owner: one.owner,
        id: one.id,
      });
      const page = pageOf(seen, query, columns, (one) => one.namespace, matches);
      return page?.map((one) => ({ ...one, associations: associations.of(one.id) }));
    },

    async create(draft) {
      refuseTaken(draft.namespace);
      const { resourceTypes, properties: withProperties, objects: withObjects, tags: withTags, ...attributes } = draft;
      const { rowId: id, ...times } = stamps();
      const made = { ...attributes, ...times, id };
      namespaces.set(id, made);
      try {
        for (const one of resourceTypes) await associate(id, one);
        for (const one of withProperties) await properties.add(id, one);
        for (const one of withObjects) await objects.add(id, one);
        for (const name of withTags) await tags.add(id, { name });
      } catch (error) {
        namespaces.delete(id);
        for (const parts of children) parts.rows.delete(id);
        throw error;
      }
      return made;
    },

    async update(id, attributes) {
      const old = namespaces.get(id);
      if (!old) return undefined;
      refuseTaken(attributes.namespace, id);
      const updated = { ...old, ...attributes, updatedAt: stamps().updatedAt };
      namespaces.set(id, updated);
      return updated;
    },

    async remove(id) {
      if (!namespaces.has(id)) return false;
      removable(id);
      for (const parts of children) parts.rows.delete(id);
      return namespaces.delete(id);
    },
  };
}

type Column = string | number | null;

function columnsOf({ createdAt, updatedAt }: { createdAt: string; updatedAt: string | null }) {
  return { created_at: createdAt, updated_at: updatedAt };
}

function pageOf<T>(
  all: readonly T[],
  { sortKey, direction, limit, marker }: Paging<string>,
  columns: (one: T) => Readonly<Record<string, Column>>,
  nameOf: (one: T) => string,
  matches: (one: T) => boolean = () => true,
): readonly T[] | undefined {
  const sign = direction === "asc" ? 1 : -1;
  const compare = (one: T, other: T) => {
    for (const key of [sortKey, "created_at", "id"]) {
      const [left = null, right = null] = [columns(one)[key], columns(other)[key]];
      if (left === right) continue;
      if (left === null) return -sign;
      if (right === null) return sign;
      return left < right ? -sign : sign;
    }
    return 0;
  };
  const last = marker === undefined ? undefined : all.find((one) => nameOf(one) === marker);
  if (marker !== undefined && last === undefined) return undefined;
  const sorted = all.filter(matches).sort(compare);
  const rest = last === undefined ? sorted : sorted.filter((one) => compare(last, one) < 0);
  return limit === null ? rest : rest.slice(0, limit);
}

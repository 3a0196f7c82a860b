// What every repository of metadata definitions promises, as tests: run by those of the databases and by the one in memory.
import assert from "node:assert/strict";
import { isServiceError } from "../../core/errors.ts";
import type { MetadefNamespace } from "../metadef.ts";
import type { MetadefRepository, NamespaceQuery } from "../ports.ts";

export type Promised = { readonly title: string; readonly run: (repository: MetadefRepository) => Promise<void> };

const draft = (namespace: string, changes: Partial<MetadefNamespace> = {}): MetadefNamespace => ({
  namespace,
  displayName: null,
  description: null,
  visibility: "private",
  protected: false,
  owner: "p1",
  resourceTypes: [],
  properties: [],
  objects: [],
  tags: [],
  ...changes,
});
const full = draft("Cars", {
  displayName: "Cars & Vans",
  resourceTypes: [
    { name: "Road", prefix: "r_", propertiesTarget: null },
    { name: "Track", prefix: null, propertiesTarget: "image" },
  ],
  properties: [
    { name: "wheels", schema: { title: "Räder", type: "integer", maximum: JSON.rawJSON("9223372036854775807") } },
  ],
  objects: [
    {
      name: "engine",
      description: "d",
      required: ["fuel", "size"],
      properties: { fuel: { title: "F", type: "string" } },
    },
    { name: "radio", description: null, required: null, properties: {} },
  ],
  tags: ["fast", "red"],
});
const code = (wanted: string) => (error: unknown) => isServiceError(error) && error.code === wanted;
const anybody = { projectId: null, isAdmin: true };
const query = (changes: Partial<NamespaceQuery> = {}): NamespaceQuery => ({
  viewer: anybody,
  sortKey: "namespace",
  direction: "asc",
  limit: null,
  ...changes,
});
const names = async (repository: MetadefRepository, changes: Partial<NamespaceQuery> = {}) =>
  (await repository.list(query(changes)))?.map(({ namespace }) => namespace);

export const metadefPromises: readonly Promised[] = [
  {
    title: "a namespace comes out with all that went in, numbers as they were written",
    async run(repository) {
      const made = await repository.create(full);
      assert.deepEqual(await repository.find("Cars"), made);
      assert.equal(made.updatedAt, made.createdAt);
      assert.match(made.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      const [property] = await repository.properties.list(made.id);
      assert.match(JSON.stringify(property?.schema), /"title":"Räder".*"maximum":9223372036854775807/);
      const [engine, radio] = await repository.objects.list(made.id);
      assert.deepEqual(engine?.required, ["fuel", "size"]);
      assert.deepEqual(engine?.properties, { fuel: { title: "F", type: "string" } });
      assert.deepEqual([radio?.required, radio?.properties, radio?.description], [[], {}, null]);
      const tags = await repository.tags.list(made.id);
      assert.deepEqual(tags.map(({ name }) => name).sort(), ["fast", "red"]);
      const associations = await repository.associations.list(made.id);
      assert.deepEqual(
        associations.map(({ name, prefix, propertiesTarget }) => [name, prefix, propertiesTarget]),
        [
          ["Road", "r_", null],
          ["Track", null, "image"],
        ],
      );
    },
  },
  {
    title: "a namespace is made whole or not at all, and its name is taken once",
    async run(repository) {
      await assert.rejects(repository.create({ ...full, tags: ["a", "a"] }), code("metadefs.duplicate"));
      assert.equal(await repository.find("Cars"), undefined);
      await repository.create(full);
      await assert.rejects(repository.create(draft("Cars")), code("metadefs.duplicate"));
      const other = await repository.create(draft("Other"));
      await assert.rejects(repository.update(other.id, draft("Cars")), code("metadefs.duplicate"));
      assert.equal((await repository.find("Other"))?.id, other.id);
      assert.equal((await repository.resourceTypes()).length, 2);
    },
  },
  {
    title: "a namespace that goes takes all with it but the resource types; a protected one stays, with all in it",
    async run(repository) {
      const { id } = await repository.create({ ...full, protected: true });
      const refused = code("metadefs.forbidden");
      await assert.rejects(repository.remove(id), refused);
      for (const parts of [repository.objects, repository.properties, repository.tags])
        await assert.rejects(parts.clear(id), refused);
      await assert.rejects(repository.tags.remove(id, "red"), refused);
      await assert.rejects(repository.objects.remove(id, "engine"), refused);
      await assert.rejects(repository.properties.remove(id, "wheels"), refused);
      await assert.rejects(repository.associations.remove(id, "Road"), refused);
      assert.equal(await repository.tags.remove(id, "nothing"), false);
      assert.equal(await repository.associations.remove(id, "nothing"), false);
      await repository.update(id, draft("Cars"));
      assert.equal(await repository.remove(id), true);
      assert.equal(await repository.remove(id), false);
      assert.equal(await repository.update(id, draft("Cars")), undefined);
      await assert.rejects(repository.tags.add(id, { name: "late" }), code("metadefs.not_found"));
      assert.deepEqual(
        (await repository.resourceTypes()).map(({ name }) => name),
        ["Road", "Track"],
      );
      assert.deepEqual(await repository.tags.list(id), []);
    },
  },
  {
    title: "parts are added, changed, renamed and removed by name, and a name is taken once in a namespace",
    async run(repository) {
      const { id } = await repository.create(full);
      const other = await repository.create(draft("Other"));
      const object = { name: "door", description: null, required: ["a"], properties: {} };
      assert.equal((await repository.objects.add(id, object)).name, "door");
      await repository.objects.add(other.id, object);
      await assert.rejects(repository.objects.add(id, object), code("metadefs.duplicate"));
      await assert.rejects(repository.objects.update(id, "engine", object), code("metadefs.duplicate"));
      assert.equal(await repository.objects.update(id, "nothing", object), undefined);
      assert.equal(await repository.objects.update(id, "nothing", { ...object, name: "new" }), undefined);
      const renamed = await repository.objects.update(id, "door", { ...object, name: "gate", required: null });
      assert.deepEqual([renamed?.name, renamed?.required], ["gate", []]);
      assert.equal(await repository.objects.find(id, "door"), undefined);
      assert.equal((await repository.properties.update(id, "wheels", { name: "w", schema: { a: 1 } }))?.name, "w");
      assert.deepEqual((await repository.properties.find(id, "w"))?.schema, { a: 1 });
      assert.equal(await repository.objects.remove(id, "gate"), true);
      assert.equal(await repository.objects.remove(id, "gate"), false);
      await repository.objects.clear(id);
      assert.deepEqual(await repository.objects.list(id), []);
      assert.equal((await repository.objects.list(other.id)).length, 1);
      await assert.rejects(
        repository.associations.add(id, { name: "Road", prefix: null, propertiesTarget: null }),
        code("metadefs.duplicate"),
      );
      assert.equal(await repository.associations.remove(id, "Road"), true);
      assert.equal(
        (await repository.associations.add(id, { name: "Road", prefix: "x", propertiesTarget: null })).prefix,
        "x",
      );
    },
  },
  {
    title: "tags are replaced or added to as a whole, and paged by any order",
    async run(repository) {
      const { id } = await repository.create(full);
      const all = async () => (await repository.tags.list(id)).map(({ name }) => name).sort();
      await repository.tags.addAll(id, ["blue", "cold"], { append: true });
      assert.deepEqual(await all(), ["blue", "cold", "fast", "red"]);
      await assert.rejects(repository.tags.addAll(id, ["new", "red"], { append: true }), code("metadefs.duplicate"));
      await assert.rejects(repository.tags.addAll(id, ["x", "x"], { append: false }), code("metadefs.duplicate"));
      assert.deepEqual(await all(), ["blue", "cold", "fast", "red"]);
      const many = Array.from({ length: 450 }, (_, index) => `tag${String(index).padStart(3, "0")}`);
      await repository.tags.addAll(id, many, { append: false });
      assert.deepEqual(await all(), many);
      for (const sortKey of ["name", "created_at", "updated_at", "id"] as const)
        for (const direction of ["asc", "desc"] as const) {
          const walked: string[] = [];
          for (let marker: string | undefined; ; ) {
            const paging = { sortKey, direction, limit: 200, ...(marker === undefined ? {} : { marker }) };
            const page = (await repository.tags.page(id, paging)) ?? assert.fail("the marker is there");
            walked.push(...page.map(({ name }) => name));
            marker = page.at(-1)?.name;
            if (page.length < 200) break;
          }
          assert.deepEqual(walked, direction === "asc" ? many : many.toReversed(), sortKey);
        }
      const paging = { sortKey: "name", direction: "asc", limit: 1, marker: "nothing" } as const;
      assert.equal(await repository.tags.page(id, paging), undefined);
      await repository.tags.addAll(id, [], { append: false });
      assert.deepEqual(await all(), []);
    },
  },
  {
    title: "lists hold what is public or one's own, filtered, with the resource types of each",
    async run(repository) {
      await repository.create(draft("A", { visibility: "public", owner: "p2" }));
      await repository.create(draft("B", { resourceTypes: [{ name: "Road", prefix: null, propertiesTarget: null }] }));
      await repository.create(draft("C", { owner: "p2" }));
      const viewer = { projectId: "p1", isAdmin: false };
      assert.deepEqual(await names(repository), ["A", "B", "C"]);
      assert.deepEqual(await names(repository, { viewer }), ["A", "B"]);
      assert.deepEqual(await names(repository, { viewer: { projectId: null, isAdmin: false } }), ["A"]);
      assert.deepEqual(await names(repository, { visibility: "private" }), ["B", "C"]);
      assert.deepEqual(await names(repository, { resourceTypes: ["Road", "Nothing"] }), ["B"]);
      assert.deepEqual(await names(repository, { resourceTypes: [] }), []);
      assert.deepEqual(await names(repository, { limit: 0 }), []);
      assert.equal(await names(repository, { marker: "C", viewer }), undefined);
      const [, second] = (await repository.list(query())) ?? [];
      assert.deepEqual(
        second?.associations.map(({ name }) => name),
        ["Road"],
      );
    },
  },
  {
    title: "pages of namespaces hold each once, by any column and in both directions, with what has no value lowest",
    async run(repository) {
      const changes = [{ displayName: "b" }, {}, { displayName: "a", protected: true }, {}, { visibility: "public" }];
      for (const [index, change] of changes.entries()) await repository.create(draft(`N${index}`, change));
      const keys = ["display_name", "description", "protected", "visibility", "owner", "created_at", "id"] as const;
      for (const sortKey of keys)
        for (const direction of ["asc", "desc"] as const) {
          const whole = (await names(repository, { sortKey, direction })) ?? [];
          assert.equal(new Set(whole).size, 5);
          const walked: string[] = [];
          for (let marker: string | undefined; ; ) {
            const page = await names(repository, { sortKey, direction, limit: 2, ...(marker ? { marker } : {}) });
            walked.push(...(page ?? []));
            marker = page?.at(-1);
            if (!marker) break;
          }
          assert.deepEqual(walked, whole, `${sortKey} ${direction}`);
        }
      const sorted = await names(repository, { sortKey: "display_name", direction: "desc" });
      assert.deepEqual(sorted?.slice(0, 2), ["N0", "N2"]);
    },
  },
];

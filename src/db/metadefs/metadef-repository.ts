// Metadata definitions for the API. Every change takes the namespace's row first, and keeps it: nothing can come into a namespace that is
// being deleted, and nothing be deleted from one that is being protected.
import { type Clock, systemClock } from "../../core/clock.ts";
import { isServiceError } from "../../core/errors.ts";
import { duplicate, isProtected, notFound } from "../../metadefs/failures.ts";
import type { MetadefRepository } from "../../metadefs/ports.ts";
import type { Database, Queryable } from "../database.ts";
import { createAssociationRepository } from "./association-repository.ts";
import { insertNamespace, namespaceColumns, removeNamespace, update, type Writing } from "./metadef-rows.ts";
import { listNamespaces } from "./namespace-list.ts";
import { type NamespaceRow, namespaceRowColumns, readNamespace, readStamps, type StampRow } from "./namespace-row.ts";
import { createObjectRepository, createPropertyRepository, createTagRepository } from "./part-repository.ts";

/** What the repositories of a namespace's contents work with. */
export type MetadefContext = {
  readonly db: Database;
  writing(): Writing;
  /** Runs `work` with the namespace's row locked. Throws metadefs.not_found. */
  change<T>(namespaceId: number, work: (tx: Queryable, namespace: NamespaceRow) => Promise<T>): Promise<T>;
};

/** How often a transaction is tried in which somebody else's rows got in the way. */
const attemptsMax = 5;

export function createMetadefRepository(db: Database, clock: Clock = systemClock): MetadefRepository {
  const { dialect } = db;
  const context: MetadefContext = {
    db,
    writing: () => ({
      dialect,
      now: dialect.encodeTime(new Date(clock.nowMs()).toISOString()),
      preferNew: false,
      stamps: ["created_at", "updated_at"],
      protectsTypes: false,
    }),
    change: (namespaceId, work) =>
      db.transaction(async (tx) => {
        const [row] = await tx.query<NamespaceRow>(
          `select ${namespaceRowColumns} from metadef_namespaces where id = ?${dialect.forUpdate}`,
          [namespaceId],
        );
        if (!row) throw notFound("namespace", `number ${namespaceId}`);
        return work(tx, row);
      }),
  };

  async function findBy(from: Queryable, column: "id" | "namespace", value: string | number) {
    const sql = `select ${namespaceRowColumns} from metadef_namespaces where ${column} = ?`;
    const [row] = await from.query<NamespaceRow>(sql, [value]);
    return row && readNamespace(row, dialect);
  }

  return {
    find: (name) => findBy(db, "namespace", name),

    list: (query) => listNamespaces(db, query),

    async create(draft) {
      for (let attempt = 1; ; attempt++)
        try {
          return await db.transaction(async (tx) => {
            const id = await insertNamespace(tx, draft, context.writing());
            const made = await findBy(tx, "id", id);
            if (!made) throw new TypeError("a row that was just written is there");
            return made;
          });
        } catch (error) {
          if (!isServiceError(error, "db.duplicate")) throw error;
          if (await findBy(db, "namespace", draft.namespace))
            throw duplicate(`There is a metadata namespace ${draft.namespace} already.`);
          // Somebody made one of the resource types at the same moment; next time it is found. Two equal names fail each time.
          if (attempt === attemptsMax)
            throw duplicate(`Two things of one kind in ${draft.namespace} have the same name.`);
        }
    },

    async update(id, attributes) {
      try {
        return await db.transaction(async (tx) => {
          await update(tx, "metadef_namespaces", namespaceColumns(attributes), context.writing().now, "id = ?", [id]);
          return findBy(tx, "id", id);
        });
      } catch (error) {
        if (!isServiceError(error, "db.duplicate")) throw error;
        throw duplicate(`There is a metadata namespace ${attributes.namespace} already.`);
      }
    },

    async remove(id) {
      for (let attempt = 1; ; attempt++)
        try {
          await context.change(id, async (tx, row) => {
            if (row.protected) throw isProtected(row.namespace);
            await removeNamespace(tx, id);
          });
          return true;
        } catch (error) {
          if (isServiceError(error, "metadefs.not_found")) return false;
          // A node that takes no lock put something into it meanwhile.
          if (attempt === attemptsMax || !isServiceError(error, "db.integrity")) throw error;
        }
    },

    async resourceTypes() {
      const rows = await db.query<StampRow & { name: string }>(
        "select name, created_at, updated_at from metadef_resource_types order by id",
      );
      return rows.map((row) => ({ name: row.name, ...readStamps(row, dialect) }));
    },

    objects: createObjectRepository(context),
    properties: createPropertyRepository(context),
    tags: createTagRepository(context),
    associations: createAssociationRepository(context),
  };
}

// Which types of resources a namespace is for: metadef_namespace_resource_types, joined with the types' names.
import { isServiceError } from "../../core/errors.ts";
import { duplicate, isProtected } from "../../metadefs/failures.ts";
import type { Association } from "../../metadefs/metadef.ts";
import type { AssociationRepository } from "../../metadefs/ports.ts";
import type { Database } from "../database.ts";
import type { MetadefContext } from "./metadef-repository.ts";
import { ensureResourceType, insertAssociation } from "./metadef-rows.ts";
import { readStamps, type StampRow } from "./namespace-row.ts";

type AssociationRow = StampRow & {
  readonly namespace_id: number;
  readonly name: string;
  readonly prefix: string | null;
  readonly properties_target: string | null;
};

/** Two requests for the same new resource type: the second finds it. */
const attemptsMax = 3;

/** Of all these namespaces with one statement, by their ids. */
export async function associationsOf(
  db: Database,
  namespaceIds: readonly number[],
): Promise<ReadonlyMap<number, readonly Association[]>> {
  if (namespaceIds.length === 0) return new Map();
  const rows = await db.query<AssociationRow>(
    `select a.namespace_id, t.name, a.prefix, a.properties_target, a.created_at, a.updated_at
     from metadef_namespace_resource_types a join metadef_resource_types t on t.id = a.resource_type_id
     where a.namespace_id in (${namespaceIds.map(() => "?").join(", ")}) order by t.id`,
    namespaceIds,
  );
  const groups = Map.groupBy(rows, (row) => row.namespace_id);
  return new Map([...groups].map(([id, ofOne]) => [id, ofOne.map((row) => readAssociation(row, db))]));
}

function readAssociation(row: AssociationRow, { dialect }: Database): Association {
  const { name, prefix, properties_target: propertiesTarget } = row;
  return { name, prefix, propertiesTarget, ...readStamps(row, dialect) };
}

export function createAssociationRepository({ db, writing, change }: MetadefContext): AssociationRepository {
  const list = async (namespaceId: number) => (await associationsOf(db, [namespaceId])).get(namespaceId) ?? [];

  return {
    list,

    async add(namespaceId, draft) {
      for (let attempt = 1; ; attempt++)
        try {
          return await change(namespaceId, async (tx) => {
            const written = writing();
            const type = await ensureResourceType(tx, draft.name, written);
            await insertAssociation(tx, namespaceId, type, draft, written);
            const now = db.dialect.decodeTime(written.now);
            return { ...draft, createdAt: now, updatedAt: now };
          });
        } catch (error) {
          if (!isServiceError(error, "db.duplicate")) throw error;
          const taken = (await list(namespaceId)).some((one) => one.name === draft.name);
          if (taken || attempt === attemptsMax)
            throw duplicate(`The namespace is for resource type ${draft.name} already.`);
        }
    },

    remove: (namespaceId, resourceType) =>
      change(namespaceId, async (tx, namespace) => {
        const found = await tx.query<{ id: number }>(
          `select t.id from metadef_namespace_resource_types a join metadef_resource_types t on t.id = a.resource_type_id
           where a.namespace_id = ? and t.name = ?`,
          [namespaceId, resourceType],
        );
        const [type] = found;
        if (!type) return false;
        if (namespace.protected) throw isProtected(namespace.namespace);
        const { rowsAffected } = await tx.run(
          "delete from metadef_namespace_resource_types where namespace_id = ? and resource_type_id = ?",
          [namespaceId, type.id],
        );
        return rowsAffected > 0;
      }),
  };
}

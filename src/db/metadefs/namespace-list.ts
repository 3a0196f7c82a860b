// Pages of namespaces with the resource types they are for: three statements, however many namespaces there are.
import type { ListedNamespace } from "../../metadefs/metadef.ts";
import type { MetadefViewer, NamespaceQuery } from "../../metadefs/ports.ts";
import type { Database, SqlCondition, SqlValue } from "../database.ts";
import { associationsOf } from "./association-repository.ts";
import { type NamespaceRow, namespaceRowColumns, readNamespace } from "./namespace-row.ts";
import { behindMarker, orderTerms } from "./paging.ts";

const columns = namespaceRowColumns
  .split(", ")
  .map((column) => `n.${column}`)
  .join(", ");

/** undefined: the marker names no namespace that the viewer may see. */
export async function listNamespaces(
  db: Database,
  query: NamespaceQuery,
): Promise<readonly ListedNamespace[] | undefined> {
  const { dialect } = db;
  const seen = visibleTo(query.viewer);
  const conditions: SqlCondition[] = [seen, ...filtersOf(query)];
  if (query.marker !== undefined) {
    const [marker] = await db.query<NamespaceRow>(
      `select ${columns} from metadef_namespaces n where n.namespace = ? and ${seen.sql}`,
      [query.marker, ...seen.params],
    );
    if (!marker) return undefined;
    conditions.push(behindMarker("n", query, marker));
  }
  if (query.limit === 0) return [];
  const limit = query.limit === null ? "" : ` limit ${Math.trunc(query.limit)}`;
  const rows = await db.query<NamespaceRow>(
    `select ${columns} from metadef_namespaces n where ${conditions.map(({ sql }) => sql).join(" and ")}` +
      ` order by ${orderTerms("n", query, dialect)}${limit}`,
    conditions.flatMap(({ params }) => params),
  );
  const associations = await associationsOf(
    db,
    rows.map(({ id }) => id),
  );
  return rows.map((row) => ({ ...readNamespace(row, dialect), associations: associations.get(row.id) ?? [] }));
}

function visibleTo({ isAdmin, projectId }: MetadefViewer): SqlCondition {
  if (isAdmin) return { sql: "1 = 1", params: [] };
  if (projectId === null) return { sql: "n.visibility = 'public'", params: [] };
  return { sql: "(n.visibility = 'public' or n.owner = ?)", params: [projectId] };
}

function filtersOf({ visibility, resourceTypes }: NamespaceQuery): SqlCondition[] {
  const filters: SqlCondition[] = [];
  if (visibility !== undefined) filters.push({ sql: "n.visibility = ?", params: [visibility] });
  if (resourceTypes?.length === 0) filters.push({ sql: "1 = 0", params: [] });
  else if (resourceTypes) {
    const params: readonly SqlValue[] = resourceTypes;
    const names = params.map(() => "?").join(", ");
    filters.push({
      sql: `n.id in (select a.namespace_id from metadef_namespace_resource_types a
        join metadef_resource_types t on t.id = a.resource_type_id where t.name in (${names}))`,
      params,
    });
  }
  return filters;
}

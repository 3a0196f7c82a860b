// Rows of metadef_namespaces, and the two times that all metadef tables have.
import type { Namespace, Timestamp } from "../../metadefs/metadef.ts";
import type { Dialect } from "../database.ts";

export const namespaceRowColumns =
  "id, namespace, display_name, description, visibility, protected, owner, created_at, updated_at";

export type StampRow = { readonly created_at: string; readonly updated_at: string | null };

export type NamespaceRow = StampRow & {
  readonly id: number;
  readonly namespace: string;
  readonly display_name: string | null;
  readonly description: string | null;
  readonly visibility: string | null;
  /** A boolean, or a number that stands for one. */
  readonly protected: boolean | number | null;
  readonly owner: string;
};

export function readNamespace(row: NamespaceRow, dialect: Dialect): Namespace {
  return {
    id: row.id,
    namespace: row.namespace,
    displayName: row.display_name,
    description: row.description,
    visibility: row.visibility,
    protected: row.protected === null ? null : Boolean(row.protected),
    owner: row.owner,
    ...readStamps(row, dialect),
  };
}

export function readStamps(row: StampRow, dialect: Dialect): { createdAt: Timestamp; updatedAt: Timestamp | null } {
  return {
    createdAt: dialect.decodeTime(row.created_at),
    updatedAt: row.updated_at === null ? null : dialect.decodeTime(row.updated_at),
  };
}

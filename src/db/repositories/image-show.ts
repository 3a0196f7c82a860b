// One image with its properties, tags and locations, in one statement: the rows of four tables side by side in a UNION.
import type { Image } from "../../images/image.ts";
import type { Viewer } from "../../images/ports.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import type { Queryable, Row, SqlCondition } from "../database.ts";
import {
  type ChildRow,
  type ImageRow,
  imageColumns,
  kindNumbers,
  type Reading,
  readChild,
  readImage,
} from "./image-row.ts";
import { isLive } from "./live-row.ts";
import { visibleById } from "./visible-images.ts";

export type ImageShow = {
  /** undefined: not there, deleted, or not for this viewer. */
  show(db: Queryable, id: string, viewer: Viewer): Promise<Image | undefined>;
  /** The same with the rows of the child tables, for who is about to change them. Sees everything. */
  load(
    db: Queryable,
    id: string,
  ): Promise<{ readonly image: Image; readonly children: readonly ChildRow[] } | undefined>;
};

/** Child columns in the order of a UNION; image columns stand before them. */
const childColumns = ["row_id", "child_name", "child_value", "child_metadata", "child_status"] as const;
type ChildColumns = Partial<Record<(typeof childColumns)[number], string>>;

export function createImageShow(reading: Reading, capabilities: Capabilities): ImageShow {
  const columns = imageColumns(capabilities);
  const imagePart = `${columns.map((column) => `i.${column}`).join(", ")}, ${childColumns.map((column) => `null as ${column}`).join(", ")}`;
  const childPart = (kind: number, table: string, values: ChildColumns, condition = "") => {
    const ofImage = columns.map((column) => (column === "id" ? "image_id" : "null"));
    const ofChild = childColumns.map((column) => values[column] ?? "null");
    return `select ${kind}, null, ${[...ofImage, ...ofChild].join(", ")} from ${table} where image_id = ? and ${isLive}${condition}`;
  };
  const children = [
    childPart(kindNumbers.property, "image_properties", { row_id: "id", child_name: "name", child_value: "value" }),
    childPart(kindNumbers.tag, "image_tags", { row_id: "id", child_name: "value" }),
    childPart(
      kindNumbers.location,
      "image_locations",
      { row_id: "id", child_name: "value", child_metadata: "meta_data", child_status: "status" },
      " and status = 'active'",
    ),
  ].join(" union all ");

  const select = (visible: SqlCondition) =>
    `select ${kindNumbers.image} as child_kind, ${visible.sql} as visible, ${imagePart} from images i where i.id = ? and i.deleted = false union all ${children}`;

  async function read(db: Queryable, id: string, viewer: Viewer) {
    const visible = visibleById(viewer, capabilities);
    const rows = await db.query(select(visible), [...visible.params, id, id, id, id]);
    const own = rows.find((row) => Number(row.child_kind) === kindNumbers.image);
    if (!own || !Number(own.visible)) return undefined;
    const childRows = rows.filter((row: Row) => row !== own).map(readChild);
    return { image: readImage(own as ImageRow, childRows, reading), children: childRows };
  }

  return {
    load: (db, id) => read(db, id, { isAdmin: true, projectId: null }),
    show: async (db, id, viewer) => (await read(db, id, viewer))?.image,
  };
}

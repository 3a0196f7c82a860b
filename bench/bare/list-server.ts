// The least a Node server can do to answer a list page and a show with the same bytes: hand-written statements, as few as can be, on
// the same tables and indexes by the same driver, and no framework. It knows one caller and checks nothing.
import { createServer } from "node:http";
import { createPool, type RowDataPacket } from "mysql2/promise";

const [connection = "", port = "0", project = ""] = process.argv.slice(2);
const pool = createPool({ uri: connection, connectionLimit: 8, dateStrings: true });

const columns = `id, name, status, visibility, protected, owner, disk_format, container_format, min_disk, min_ram, size,
  virtual_size, checksum, created_at, updated_at`;

/** One branch for each way an image can be listed, each one page of an index alone; only what is shown in the end is read from the table. */
const pageSql = `SELECT ${columns} FROM images JOIN (
  SELECT id, created_at AS sorted FROM (
    (SELECT id, created_at FROM images FORCE INDEX (perennial_images_visibility)
      WHERE visibility = 'public' AND deleted = 0 ORDER BY created_at DESC, id DESC LIMIT 25)
    UNION
    (SELECT id, created_at FROM images FORCE INDEX (perennial_images_owner)
      WHERE owner = ? AND deleted = 0 ORDER BY created_at DESC, id DESC LIMIT 25)
    UNION
    (SELECT i.id, i.created_at FROM image_members m FORCE INDEX (perennial_members_member)
      STRAIGHT_JOIN images i ON i.id = m.image_id
      WHERE m.member = ? AND m.deleted = 0 AND m.status = 'accepted' AND i.visibility = 'shared' AND i.deleted = 0
      ORDER BY i.created_at DESC, i.id DESC LIMIT 25)
  ) branches ORDER BY created_at DESC, id DESC LIMIT 25
) page USING (id) ORDER BY sorted DESC, id DESC`;
const childrenSql = `SELECT image_id, name, value FROM image_properties WHERE image_id IN (?) AND deleted = 0
  UNION ALL SELECT image_id, NULL, value FROM image_tags WHERE image_id IN (?) AND deleted = 0`;
const showSql = `SELECT ${columns} FROM images WHERE id = ? AND deleted = 0`;

type ChildRow = RowDataPacket & { image_id: string; name: string | null; value: string };

createServer(async (request, response) => {
  const id = request.url?.match(/^\/v2\/images\/([0-9a-f-]+)$/)?.[1];
  const body = id === undefined ? await listPage() : await showOne(id);
  response.writeHead(200, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) }).end(body);
}).listen(Number(port), "127.0.0.1");

async function listPage(): Promise<string> {
  const [rows] = await pool.query<RowDataPacket[]>(pageSql, [project, project]);
  const ids = rows.map((row) => row.id as string);
  const [children] = await pool.query<ChildRow[]>(childrenSql, [ids, ids]);
  const images = rows.map((row) =>
    document(
      row,
      children.filter((child) => child.image_id === row.id),
    ),
  );
  const next = `/v2/images?limit=25&marker=${ids.at(-1)}`;
  return JSON.stringify({ images, first: "/v2/images?limit=25", schema: "/v2/schemas/images", next });
}

async function showOne(id: string): Promise<string> {
  const [[rows], [children]] = await Promise.all([
    pool.query<RowDataPacket[]>(showSql, [id]),
    pool.query<ChildRow[]>(childrenSql, [[id], [id]]),
  ]);
  return JSON.stringify(document(rows[0] ?? ({} as RowDataPacket), children));
}

function document(row: RowDataPacket, children: readonly ChildRow[]): Record<string, unknown> {
  const image: Record<string, unknown> = {};
  const tags: string[] = [];
  for (const child of children) {
    if (child.name === null) tags.push(child.value);
    else image[child.name] = child.value;
  }
  const time = (text: string) => `${text.replace(" ", "T")}Z`;
  return {
    ...image,
    name: row.name,
    disk_format: row.disk_format,
    container_format: row.container_format,
    visibility: row.visibility,
    size: row.size,
    virtual_size: row.virtual_size,
    status: row.status,
    checksum: row.checksum,
    protected: row.protected === 1,
    min_ram: row.min_ram,
    min_disk: row.min_disk,
    owner: row.owner,
    id: row.id,
    created_at: time(row.created_at),
    updated_at: time(row.updated_at),
    tags,
    self: `/v2/images/${row.id}`,
    file: `/v2/images/${row.id}/file`,
    schema: "/v2/schemas/image",
  };
}

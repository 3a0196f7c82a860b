// Fills a database with as many images as a large cloud has, inside the server by its SEQUENCE engine: a million in under a minute.
import { createConnection } from "mysql2/promise";
import { eventually } from "../test/servers/eventually.ts";

export type FillOptions = {
  readonly connection: string;
  /** A multiple of 1,000. */
  readonly images: number;
  /** Whose columns the table has. */
  readonly release: "newton" | "ocata";
  /** Properties, tags and locations too; without them only the images' own rows. */
  readonly children: boolean;
};

const rowsPerStatement = 100_000;
/** The project that owns one image among all. */
export const loneProject = "project-alone";
/**
 * One image in twenty is its own, as one in twenty is public, so that its pages are made of the same parts however many images there are;
 * and it is a member of twenty.
 */
export const someProject = "project-7";

/** The id of image `seq`, in no order, as UUIDs are. */
const idSql = (seq: string) =>
  `INSERT(INSERT(INSERT(INSERT(MD5(${seq}), 21, 0, '-'), 17, 0, '-'), 13, 0, '-'), 9, 0, '-')`;

export async function fill(options: FillOptions): Promise<void> {
  const db = await createConnection({ uri: options.connection });
  try {
    // Only this session: the checks cost as much as the rows.
    await db.query("SET unique_checks = 0, foreign_key_checks = 0");
    // One statement into an empty table: with the checks off the server sorts the rows and builds each index at once, where row by row
    // ten million in no order would each look for their pages on the disk.
    await db.query(imagesSql(`seq_1_to_${options.images}`, options));
    if (options.children)
      for (let from = 1; from <= options.images; from += rowsPerStatement) {
        const sequence = `seq_${from}_to_${Math.min(options.images, from + rowsPerStatement - 1)}`;
        for (const sql of childrenSql(sequence, options.images)) await db.query(sql);
      }
    for (const table of ["images", "image_properties", "image_tags", "image_locations", "image_members"])
      await db.query(`ANALYZE TABLE ${table}`);
  } finally {
    await db.end();
  }
}

/** From Ocata on. */
export async function makeAllPublic(connection: string): Promise<void> {
  const db = await createConnection({ uri: connection });
  try {
    await db.query("UPDATE images SET visibility = 'public'");
    await db.query("ANALYZE TABLE images");
  } finally {
    await db.end();
  }
}

/** One image in twenty is public; at Ocata one in fifty community, and of the others half (those with odd numbers) shared, half private. */
function imagesSql(sequence: string, { images, release }: FillOptions): string {
  const [column, value] =
    release === "newton"
      ? ["is_public", "seq MOD 20 = 0"]
      : [
          "visibility",
          "CASE WHEN seq MOD 20 = 0 THEN 'public' WHEN seq MOD 50 = 1 THEN 'community' WHEN seq MOD 2 THEN 'shared' ELSE 'private' END",
        ];
  const alone = Math.ceil(images / 2) | 1;
  return `INSERT INTO images (id, name, size, status, created_at, updated_at, deleted, disk_format, container_format, checksum,
      owner, min_disk, min_ram, protected, ${column})
    SELECT ${idSql("seq")}, CONCAT('image-', seq), 1000000 + seq, 'active', '2024-01-01' + INTERVAL seq SECOND,
      '2024-01-01' + INTERVAL seq SECOND, 0, IF(seq MOD 2, 'qcow2', 'raw'), 'bare', MD5(seq),
      CASE WHEN seq = ${alone} THEN '${loneProject}' WHEN seq MOD 20 = 7 THEN '${someProject}' ELSE CONCAT('project-', seq MOD 1000) END,
      0, 0, 0, ${value} FROM ${sequence}`;
}

function childrenSql(sequence: string, images: number): readonly string[] {
  const times = "'2024-01-01' + INTERVAL seq SECOND, 0";
  return [
    `INSERT INTO image_properties (image_id, name, value, created_at, deleted)
      SELECT ${idSql("seq")}, 'os_distro', 'debian', ${times} FROM ${sequence}`,
    `INSERT INTO image_properties (image_id, name, value, created_at, deleted)
      SELECT ${idSql("seq")}, 'architecture', 'x86_64', ${times} FROM ${sequence}`,
    `INSERT INTO image_tags (image_id, value, created_at, deleted)
      SELECT ${idSql("seq")}, CONCAT('tag-', seq MOD 100), ${times} FROM ${sequence} WHERE seq MOD 2 = 0`,
    `INSERT INTO image_locations (image_id, value, created_at, deleted, meta_data, status)
      SELECT ${idSql("seq")}, CONCAT('file:///images/', ${idSql("seq")}), ${times}, '{}', 'active' FROM ${sequence}`,
    `INSERT INTO image_members (image_id, member, can_share, created_at, deleted, status)
      SELECT ${idSql("seq")}, CONCAT('project-', (seq + 500) MOD 1000), 0, ${times}, 'accepted' FROM ${sequence} WHERE seq MOD 100 = 3`,
    `INSERT INTO image_members (image_id, member, can_share, created_at, deleted, status)
      SELECT ${idSql("seq")}, '${someProject}', 0, ${times}, 'accepted' FROM ${sequence} WHERE seq MOD ${images / 20} = 9`,
  ];
}

/** `count` ids of images that exist, spread over all of them; of every `each`th image only. */
export async function sampleIds(connection: string, images: number, count: number, each = 1): Promise<string[]> {
  const db = await createConnection({ uri: connection });
  try {
    const step = Math.max(1, Math.floor(images / each / count)) * each;
    const [rows] = await db.query(
      `SELECT ${idSql("seq")} AS id FROM seq_${each}_to_${images}_step_${step} LIMIT ${count}`,
    );
    return (rows as { id: string }[]).map((row) => row.id);
  } finally {
    await db.end();
  }
}

/** Returns when the server has written out and cleared away what filling left behind, so that what is measured next pays for itself alone. */
export async function settle(connection: string): Promise<void> {
  const db = await createConnection({ uri: connection });
  const status = async (name: string) => {
    const [rows] = await db.query("SHOW GLOBAL STATUS LIKE ?", [name]);
    return Number((rows as { Value: string }[])[0]?.Value ?? 0);
  };
  try {
    await db.query("SET GLOBAL innodb_max_dirty_pages_pct = 0");
    await eventually(
      "the server has written out what it changed",
      async () =>
        (await status("Innodb_history_list_length")) < 50 && (await status("Innodb_checkpoint_age")) < 50_000_000,
      { msMax: 600_000 },
    );
    await db.query("SET GLOBAL innodb_max_dirty_pages_pct = DEFAULT");
  } finally {
    await db.end();
  }
}

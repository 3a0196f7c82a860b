// A page costs the same at any size of the table: what the databases read for it is counted (MariaDB) or planned (SQLite).
import assert from "node:assert/strict";
import type { ImageQuery, Viewer } from "../../images/ports.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import type { Database, Queryable, Row, SqlValue } from "../database.ts";
import { testOnDatabases } from "../testing/databases.ts";
import { admin, newton, ocata, project } from "../testing/images.ts";
import { createImageRepository } from "./image-repository.ts";

const imagesMade = 10_000;
const sort = [
  { key: "created_at", direction: "desc" },
  { key: "id", direction: "desc" },
] as const;

/** Half of them are alice's, a tenth public; loner owns one in the middle, and bob is a member of three. */
async function fill(db: Database, { visibilityStoredAs }: Capabilities): Promise<void> {
  const numbers =
    db.dialect.name === "mysql"
      ? `select seq from seq_1_to_${imagesMade}`
      : `with recursive numbers(seq) as (select 1 union all select seq + 1 from numbers where seq < ${imagesMade}) select seq from numbers`;
  const kind =
    visibilityStoredAs === "is_public"
      ? "case when seq % 10 = 0 then 1 else 0 end"
      : "case when seq % 10 = 0 then 'public' when seq % 10 = 1 then 'community' else 'shared' end";
  const id = db.dialect.name === "mysql" ? "lpad(seq, 36, '0')" : "printf('%036d', seq)";
  const owner = "case when seq = 4999 then 'loner' when seq % 2 = 0 then 'alice' else 'others' end";
  // Whole hours with many images in each: the order within one second is the id's.
  const day = "(seq % 28) + 1";
  const at =
    db.dialect.name === "mysql"
      ? `concat('2026-01-', lpad(${day}, 2, '0'), ' 00:00:00')`
      : `printf('2026-01-%02d 00:00:00.000000', ${day})`;
  await db.run(
    `insert into images (id, name, status, ${visibilityStoredAs}, created_at, updated_at, deleted, owner, min_disk, min_ram, protected)
     select ${id}, 'image', 'active', ${kind}, ${at}, ${at}, 0, ${owner}, 0, 0, 0 from (${numbers}) n`,
  );
  for (const seq of [7, 4_003, 9_997])
    await db.run(
      `insert into image_members (image_id, member, can_share, status, created_at, updated_at, deleted) values (?, 'bob', 0, 'accepted', ${db.dialect.nowSql}, ${db.dialect.nowSql}, 0)`,
      [String(seq).padStart(36, "0")],
    );
  await db.session((session) =>
    session.run(db.dialect.name === "mysql" ? "analyze table images, image_members" : "analyze"),
  );
}

/** Passes everything on, and remembers the queries. */
function recorded(db: Database): Database & { readonly queries: [string, readonly SqlValue[]][] } {
  const queries: [string, readonly SqlValue[]][] = [];
  const query = <R extends Row>(sql: string, params: readonly SqlValue[] = []) => {
    queries.push([sql, params]);
    return db.query<R>(sql, params);
  };
  return Object.assign(Object.create(db) as Database, {
    queries,
    query,
    dialect: db.dialect,
    run: db.run.bind(db),
    transaction: <T>(work: (tx: Queryable) => Promise<T>) => db.transaction(work),
  });
}

/** Only our own connection counts: the pool of `db` has one. */
async function rowsRead(db: Database, work: () => Promise<unknown>): Promise<number> {
  const read = async () => {
    const rows = await db.query<{ Value: string }>("show session status like 'Handler_read%'");
    return rows.reduce((sum, row) => sum + Number(row.Value), 0);
  };
  const idle = await read();
  const before = await read();
  await work();
  // Asking reads a few rows, too.
  return (await read()) - before - (before - idle);
}

async function assertWalks(db: Database, query: ImageQuery, title: string, capabilities: Capabilities): Promise<void> {
  const watched = recorded(db);
  const { list } = createImageRepository(watched, capabilities);
  await list(query);
  if (db.dialect.name === "mysql") {
    const pages = await rowsRead(db, () => list(query));
    assert(pages < 500, `${title}: ${pages} rows read for a page`);
    return;
  }
  for (const [sql, params] of watched.queries.filter(([sql]) => / from images i /.test(sql))) {
    const plan = (await db.query<{ detail: string }>(`explain query plan ${sql}`, params)).map((row) => row.detail);
    assert(!plan.some((step) => /^SCAN (i|m|images)\b(?!.*COVERING)/.test(step)), `${title}: ${plan.join("; ")}`);
  }
}

for (const [state, capabilities] of [
  ["newton", newton],
  ["ocata", ocata],
] as const) {
  const as = capabilities === newton ? "newton" : "ocata";

  testOnDatabases(
    `list plans as ${as}: every page is a walk along an index, however deep`,
    state,
    async ({ another }) => {
      const db = await another({ poolSizeMax: 1 });
      await fill(db, capabilities);
      const viewers: [string, Viewer][] = [
        ["admin", admin],
        ["admin of a project", { projectId: "alice", isAdmin: true }],
        ["owner of half", project("alice")],
        ["owner of one", project("loner")],
        ["member of three", project("bob")],
        ["nobody", project(null)],
      ];
      // A public image in the middle of the order, which everybody sees.
      const marker = String(5_010).padStart(36, "0");
      for (const [who, viewer] of viewers)
        for (const visibility of [undefined, ...capabilities.visibilityFilters])
          for (const direction of ["desc", "asc"] as const)
            for (const deep of [false, true]) {
              const query: ImageQuery = {
                viewer,
                filters: [],
                memberStatus: "accepted",
                sort: sort.map(({ key }) => ({ key, direction })),
                limit: 25,
                ...(visibility ? { visibility } : {}),
                ...(deep ? { marker } : {}),
              };
              // What an admin of Newton asks of members is answered by looking through everything, as rarely as it is asked.
              if (as === "newton" && visibility === "shared" && viewer.isAdmin) continue;
              // A filter on top of a project's own images reads on until the page is full.
              if (visibility === "private" && as === "ocata") continue;
              await assertWalks(
                db,
                query,
                `${who}, ${visibility ?? "default"}, ${direction}${deep ? ", deep" : ""}`,
                capabilities,
              );
            }
      for (const [column, value] of [
        ["name", "nothing like it"],
        ["id", marker],
      ] as const)
        await assertWalks(
          db,
          {
            viewer: project("alice"),
            filters: [{ kind: "column", column, values: [value] }],
            memberStatus: "accepted",
            sort,
            limit: 25,
          },
          `by ${column}`,
          capabilities,
        );
    },
  );
}

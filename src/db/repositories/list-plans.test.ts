// A page costs the same at any size of the table: what the databases read for it is counted (MariaDB, PostgreSQL) or planned (SQLite).
import assert from "node:assert/strict";
import type { ImageQuery, Viewer } from "../../images/ports.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import type { Database, Queryable, Row, SqlValue } from "../database.ts";
import { type DialectName, testOnDatabases } from "../testing/databases.ts";
import { admin, newest, newton, ocata, project } from "../testing/images.ts";
import { createImageRepository } from "./image-repository.ts";

const imagesMade = 10_000;
const sort = [
  { key: "created_at", direction: "desc" },
  { key: "id", direction: "desc" },
] as const;

/**
 * Half of them are alice's, a tenth public; loner owns one in the middle, and bob is a member of three. Where images can be hidden, all are but
 * one in a hundred: as many as a cloud has that hides each outdated public image, and as the worst project may have.
 */
async function fill(db: Database, { visibilityStoredAs, hiding }: Capabilities): Promise<void> {
  const says = sayings[db.dialect.name];
  const kind =
    visibilityStoredAs === "is_public"
      ? "case when seq % 10 = 0 then true else false end"
      : says.visibility("case when seq % 10 = 0 then 'public' when seq % 10 = 1 then 'community' else 'shared' end");
  const owner = "case when seq = 4999 then 'loner' when seq % 2 = 0 then 'alice' else 'others' end";
  // Whole days with many images in each: the order within one second is the id's.
  const at = says.day("(seq % 28) + 1");
  const [hiddenColumn, hidden] = hiding ? [", os_hidden", ", seq % 100 <> 0"] : ["", ""];
  await db.run(
    `insert into images (id, name, status, ${visibilityStoredAs}, created_at, updated_at, deleted, owner, min_disk, min_ram, protected${hiddenColumn})
     select ${says.id}, 'image', 'active', ${kind}, ${at}, ${at}, false, ${owner}, 0, 0, false${hidden} from (${says.numbers}) n`,
  );
  for (const seq of [7, 4_003, 9_997])
    await db.run(
      `insert into image_members (image_id, member, can_share, status, created_at, updated_at, deleted) values (?, 'bob', false, 'accepted', ${db.dialect.nowSql}, ${db.dialect.nowSql}, false)`,
      [String(seq).padStart(36, "0")],
    );
  await db.session((session) => session.run(says.analyze));
}

/** SQL that makes ten thousand images at once, on each dialect. */
const sayings: Record<
  DialectName,
  {
    readonly numbers: string;
    readonly id: string;
    readonly analyze: string;
    day(number: string): string;
    visibility(text: string): string;
  }
> = {
  mysql: {
    numbers: `select seq from seq_1_to_${imagesMade}`,
    id: "lpad(seq, 36, '0')",
    analyze: "analyze table images, image_members",
    day: (number) => `concat('2026-01-', lpad(${number}, 2, '0'), ' 00:00:00')`,
    visibility: (text) => text,
  },
  postgresql: {
    numbers: `select seq from generate_series(1, ${imagesMade}) seq`,
    id: "lpad(seq::text, 36, '0')",
    analyze: "analyze images, image_members",
    day: (number) => `timestamp '2026-01-01' + (${number} - 1) * interval '1 day'`,
    visibility: (text) => `cast(${text} as image_visibility)`,
  },
  sqlite: {
    numbers: `with recursive numbers(seq) as (select 1 union all select seq + 1 from numbers where seq < ${imagesMade}) select seq from numbers`,
    id: "printf('%036d', seq)",
    analyze: "analyze",
    day: (number) => `printf('2026-01-%02d 00:00:00.000000', ${number})`,
    visibility: (text) => text,
  },
};

type Query = readonly [sql: string, params: readonly SqlValue[]];

/** Passes everything on, and remembers the queries. */
function recorded(db: Database): Database & { readonly queries: readonly Query[] } {
  const queries: Query[] = [];
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

/** What a page may read. */
const rowsReadMax = 500;
/** Where everything is asked for a page is drawn from four walks (public, community, own, shared with us), not from three. */
const rowsMaxOf = ({ visibility }: ImageQuery) => (visibility === "all" ? (rowsReadMax * 4) / 3 : rowsReadMax);

/** How each database tells that a page was a walk along an index. */
const judges: Record<
  DialectName,
  (db: Database, queries: readonly Query[], page: () => Promise<unknown>, rowsMax: number) => Promise<string | null>
> = {
  async mysql(db, _queries, page, rowsMax) {
    const rows = await rowsRead(db, page);
    return rows < rowsMax ? null : `${rows} rows read for a page`;
  },
  async postgresql(db, queries, _page, rowsMax) {
    for (const [sql, params] of queries) {
      const [row] = await db.query<{ "QUERY PLAN": [{ Plan: PlanNode }] }>(
        `explain (analyze, format json) ${sql}`,
        params,
      );
      const rows = row ? rowsVisited(row["QUERY PLAN"][0].Plan) : 0;
      if (rows >= rowsMax) return `${rows} rows read: ${JSON.stringify(row)}`;
    }
    return null;
  },
  async sqlite(db, queries) {
    for (const [sql, params] of queries) {
      const plan = (await db.query<{ detail: string }>(`explain query plan ${sql}`, params)).map((row) => row.detail);
      if (plan.some((step) => /^SCAN (i|m|images)\b(?!.*COVERING)/.test(step))) return plan.join("; ");
    }
    return null;
  },
};

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

type PlanNode = {
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly Plans?: readonly PlanNode[];
};

/** By all nodes of a plan that was carried out; figures of a node are averages of its loops. */
function rowsVisited(node: PlanNode): number {
  const own = (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)) * node["Actual Loops"];
  return (node.Plans ?? []).reduce((sum, child) => sum + rowsVisited(child), own);
}

async function assertWalks(db: Database, query: ImageQuery, title: string, capabilities: Capabilities): Promise<void> {
  const watched = recorded(db);
  const { list } = createImageRepository(watched, capabilities);
  await list(query);
  const pages = watched.queries.filter(([sql]) => /\bimages i\b/.test(sql));
  const fault = await judges[db.dialect.name](db, pages, () => list(query), rowsMaxOf(query));
  assert.equal(fault, null, `${title}: ${fault}`);
}

/** From the first page and from deep in the list, of the images that are shown and of the hidden ones. */
function walks({ hiding }: Capabilities): readonly (readonly [deep: boolean, hidden: boolean | undefined])[] {
  const which = hiding ? [false, true] : [undefined];
  return [false, true].flatMap((deep) => which.map((hidden) => [deep, hidden] as const));
}

for (const [state, capabilities] of [
  ["newton", newton],
  ["ocata", ocata],
  ["newest", newest],
] as const) {
  const as = state;

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
            for (const [deep, hidden] of walks(capabilities)) {
              const query: ImageQuery = {
                viewer,
                filters: [],
                memberStatus: "accepted",
                sort: sort.map(({ key }) => ({ key, direction })),
                limit: 25,
                ...(visibility ? { visibility } : {}),
                ...(deep ? { marker } : {}),
                ...(hidden === undefined ? {} : { hidden }),
              };
              // What an admin of Newton asks of members is answered by looking through everything, as rarely as it is asked.
              if (as === "newton" && visibility === "shared" && viewer.isAdmin) continue;
              // A filter on top of a project's own images reads on until the page is full.
              if (visibility === "private" && as !== "newton") continue;
              await assertWalks(
                db,
                query,
                `${who}, ${visibility ?? "default"}, ${direction}${deep ? ", deep" : ""}${hidden ? ", hidden" : ""}`,
                capabilities,
              );
            }
      for (const [column, value] of [
        ["name", "nothing like it"],
        ["id", marker],
        ...(capabilities.multihash ? [["os_hash_value", "nothing like it"] as const] : []),
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

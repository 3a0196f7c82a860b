// Gives a column a NOT NULL definition without rebuilding its table: a shadow column with that definition is added in an instant, kept
// true by triggers, filled in batches, indexed like the first, and then takes its place and name under a lock of milliseconds.
// Until that moment nothing has changed for anybody, and a killed run is simply begun again: what stands is found in the schema.
import { setTimeout as sleep } from "node:timers/promises";
import { ServiceError } from "../../../core/errors.ts";
import type { Session } from "../../database.ts";
import { defaultBackfillLimits, nextBatchRows } from "../backfill-limits.ts";
import type { BatchPace } from "../executor.ts";
import type { LiveSchema } from "../live-schema.ts";

export type ColumnRequirement = {
  readonly table: string;
  readonly key: string;
  readonly column: string;
  readonly definition: string;
};

/** What the executor lends: guarded DDL, the schema, a connection, and an ear. */
export type SwitchTools = {
  readonly session: Session;
  introspect(): Promise<LiveSchema>;
  /** Runs one ALTER TABLE or trigger statement under the lock guard; `isDone` as in a step. */
  ddl(sql: string, options: { expensive: boolean; isDone: (schema: LiveSchema) => boolean }): Promise<void>;
  /** LOCK TABLES ... WRITE on the table, under the guard; `work` must be short. */
  locked(work: () => Promise<void>): Promise<void>;
  /** What is being done now. Throws when the run is to end, so it is called only where nothing is left half done. */
  tell(detail: string): void;
  /** Returns when the next batch of rows may be copied; tells why while it waits. */
  nextBatch(tell: (why: string) => void): Promise<void>;
  /** How large it should be, as it stands now. */
  limits(): BatchPace["limits"];
  /** Pauses against the lock budget; throws schema.blocked when it is used up. */
  pause(ms: number): Promise<void>;
};

const tellEveryMs = 1_000;

export const shadowOf = (column: string) => `perennial_${column}`;

/** Takes up whatever a killed run left. Returns when the column has the definition. */
export async function switchColumn(tools: SwitchTools, what: ColumnRequirement): Promise<void> {
  const { table, column, definition } = what;
  const shadow = shadowOf(column);
  tools.tell(`adding ${shadow} beside ${column}`);
  if (!(await tools.introspect()).hasColumn(table, shadow))
    await tools.ddl(
      `ALTER TABLE ${table} ADD COLUMN ${shadow} ${definition} AFTER ${column}, ALGORITHM=INSTANT, LOCK=NONE`,
      {
        expensive: false,
        isDone: (schema) => schema.hasColumn(table, shadow),
      },
    );
  for (const { name, event } of keepers(what)) {
    if ((await tools.introspect()).hasTrigger(name)) continue;
    tools.tell(`creating trigger ${name}`);
    await tools.ddl(
      `CREATE TRIGGER ${name} BEFORE ${event} ON ${table} FOR EACH ROW SET NEW.${shadow} = NEW.${column}`,
      { expensive: false, isDone: (schema) => schema.hasTrigger(name) },
    );
  }
  // Every transaction that wrote without the triggers has ended: creating them waited for it. So one walk over the rows is enough.
  await copyRows(tools, what, shadow);
  const pairs = await buildIndexes(tools, what, shadow);
  tools.tell(`putting ${shadow} in the place of ${column}`);
  await takePlace(tools, what, shadow, pairs);
}

function keepers({ table }: ColumnRequirement): readonly { name: string; event: "INSERT" | "UPDATE" }[] {
  return [
    { name: `perennial_keep_${table}_insert`, event: "INSERT" },
    { name: `perennial_keep_${table}_update`, event: "UPDATE" },
  ];
}

/** Walks the key. Rows that others hold are left for the next walk; a walk that finds nothing to do ends it. */
async function copyRows(tools: SwitchTools, what: ColumnRequirement, shadow: string): Promise<void> {
  const { session } = tools;
  const { table, key, column } = what;
  let pageRows = defaultBackfillLimits.batchRows;
  let toldMs = 0;
  for (let round = 1; ; round++) {
    let cursor = "";
    let left = 0;
    let copied = 0;
    let walked = 0;
    for (;;) {
      await tools.nextBatch(tools.tell);
      const startMs = performance.now();
      const [page] = await session.query<{ last: string | null; n: number }>(
        `SELECT MAX(k) AS last, COUNT(*) AS n FROM (SELECT ${key} AS k FROM ${table} WHERE ${key} > ? ORDER BY ${key} LIMIT ${pageRows}) page`,
        [cursor],
      );
      if (page?.last == null) break;
      const differing = await session.query<{ k: string; empty: number }>(
        `SELECT ${key} AS k, ${column} IS NULL AS empty FROM ${table}
         WHERE ${key} > ? AND ${key} <= ? AND NOT (${shadow} <=> ${column})`,
        [cursor, page.last],
      );
      if (differing.some((row) => Number(row.empty) === 1)) throw emptyValue(what, differing);
      const count = await copyBatch(
        session,
        what,
        shadow,
        differing.map((row) => row.k),
      );
      copied += count;
      left += differing.length - count;
      walked += Number(page.n);
      cursor = page.last;
      const tookMs = performance.now() - startMs;
      if (performance.now() - toldMs > tellEveryMs) {
        toldMs = performance.now();
        tools.tell(`copying ${column} into ${shadow}: ${walked} rows seen, ${copied} copied, walk ${round}`);
      }
      pageRows = nextBatchRows(Number(page.n), tookMs, pageRows, tools.limits());
    }
    if (left === 0 && copied === 0) return;
    if (left > 0) await tools.pause(100);
    else await sleep(0);
  }
}

async function copyBatch(
  session: Session,
  { table, key, column }: ColumnRequirement,
  shadow: string,
  keys: readonly string[],
): Promise<number> {
  if (keys.length === 0) return 0;
  const marks = (values: readonly string[]) => values.map(() => "?").join(", ");
  // Of a small table it would read, and lock, every row.
  const rowsByKey = `${table} FORCE INDEX (PRIMARY)`;
  await session.run("BEGIN");
  try {
    const rows = await session.query<{ k: string }>(
      `SELECT ${key} AS k FROM ${rowsByKey} WHERE ${key} IN (${marks(keys)}) FOR UPDATE SKIP LOCKED`,
      keys,
    );
    const free = rows.map((row) => row.k);
    if (free.length > 0)
      await session.run(`UPDATE ${rowsByKey} SET ${shadow} = ${column} WHERE ${key} IN (${marks(free)})`, free);
    await session.run("COMMIT");
    return free.length;
  } catch (error) {
    // On a connection that was lost there is nothing to roll back; what is told is what went wrong.
    await session.run("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/** Each index that holds the column gets its like on the shadow; returns old and new names. */
async function buildIndexes(
  tools: SwitchTools,
  { table, column }: ColumnRequirement,
  shadow: string,
): Promise<readonly (readonly [old: string, fresh: string])[]> {
  const indexes = [...((await tools.introspect()).table(table)?.indexes ?? [])].filter(([, columns]) =>
    columns.includes(column),
  );
  const pairs: (readonly [string, string])[] = [];
  for (const [name, columns] of indexes) {
    const fresh = `perennial_sw_${name}`.slice(0, 64);
    pairs.push([name, fresh]);
    if ((await tools.introspect()).hasIndex(table, fresh)) continue;
    tools.tell(`building index ${name} anew on ${shadow}`);
    const list = columns.map((one) => (one === column ? shadow : one)).join(", ");
    await tools.ddl(`ALTER TABLE ${table} ADD INDEX ${fresh} (${list}), ALGORITHM=NOCOPY, LOCK=NONE`, {
      expensive: true,
      isDone: (schema) => schema.hasIndex(table, fresh),
    });
  }
  return pairs;
}

/**
 * The triggers go first: they name columns that are about to go. Who is killed between them and the ALTER leaves the old column in
 * place, as true as ever, and the shadow to be kept and copied again.
 */
async function takePlace(
  tools: SwitchTools,
  what: ColumnRequirement,
  shadow: string,
  pairs: readonly (readonly [old: string, fresh: string])[],
): Promise<void> {
  const { table, column, definition } = what;
  const clauses = [
    ...pairs.map(([old]) => `DROP INDEX ${old}`),
    ...pairs.map(([old, fresh]) => `RENAME INDEX ${fresh} TO ${old}`),
    `DROP COLUMN ${column}`,
    `CHANGE ${shadow} ${column} ${definition}`,
  ];
  await tools.locked(async () => {
    for (const { name } of keepers(what)) await tools.session.run(`DROP TRIGGER ${name}`);
    await tools.session.run(`ALTER TABLE ${table} ${clauses.join(", ")}, ALGORITHM=NOCOPY, LOCK=NONE`);
  });
}

function emptyValue({ table, column }: ColumnRequirement, rows: readonly { k: string; empty: number }[]): ServiceError {
  const keys = rows.filter((row) => Number(row.empty) === 1).map((row) => row.k);
  return new ServiceError(
    "schema.contract_refused",
    `${table}.${column} is empty in ${keys.length} rows or more, such as ${keys.slice(0, 3).join(", ")}: give them a value and run this again`,
    { facts: { table, column, rows: keys.length } },
  );
}

// Whether what stands under the name of something of ours is what our steps make: columns and triggers are compared by definition, indexes
// by their columns. What it cannot read it takes for right: this is to find what was altered by hand, not to judge other tools.
import { createHash } from "node:crypto";
import type { Dialect } from "../database.ts";
import type { TriggerDefinition } from "./changes.ts";
import type { LiveColumn, LiveSchema } from "./live-schema.ts";

type DialectName = Dialect["name"];

export type Difference = {
  /** What stands there, what should, and what to do. */
  readonly text: string;
  /** Releases would only be slower for it. */
  readonly harmless?: true;
};

/** The same text whatever its spaces, comments and case. */
function plainText(sql: string): string {
  return sql
    .replace(/--[^\n]*/g, " ")
    .replace(/\s+/g, " ")
    .replace(/ ?([(),;]) ?/g, "$1")
    .replace(/;+$/, "")
    .trim()
    .toLowerCase();
}

/** Of a trigger's definition: what lists of known ones hold. */
export function fingerprintOf(definition: string): string {
  return createHash("sha256").update(plainText(definition)).digest("hex").slice(0, 16);
}

const madeBy: Record<DialectName, (statements: readonly string[]) => string | undefined> = {
  mysql: ([sql = ""]) =>
    /^CREATE TRIGGER \w+ (BEFORE|AFTER) (INSERT|UPDATE) ON \w+ FOR EACH ROW\s+([\s\S]*)$/.exec(sql)?.slice(1).join(" "),
  sqlite: ([sql = ""]) => triggerTextOf(sql),
  postgresql: (statements) => {
    const body = /\$\$([\s\S]*)\$\$/.exec(statements[0] ?? "")?.[1];
    const when = /^CREATE TRIGGER \w+ (BEFORE|AFTER) (INSERT|UPDATE)/
      .exec(statements.at(-1) ?? "")
      ?.slice(1)
      .join(" ");
    return body === undefined || when === undefined ? undefined : `${when} ${body}`;
  },
};

/** SQLite keeps the statement, in which the name may be quoted. */
export function triggerTextOf(createSql: string): string | undefined {
  return /^CREATE\s+TRIGGER\s+(?:IF\s+NOT\s+EXISTS\s+)?\S+\s+([\s\S]*)$/i.exec(createSql)?.[1];
}

export function triggerDifference(
  schema: LiveSchema,
  dialect: DialectName,
  trigger: TriggerDefinition,
): Difference | null {
  const { name, table, sql, known } = trigger;
  const live = schema.trigger(name);
  const made = madeBy[dialect](sql[dialect]);
  if (!live?.definition || made === undefined) return null;
  const isKnown = [fingerprintOf(made), ...(known?.[dialect] ?? [])].includes(fingerprintOf(live.definition));
  if (live.table === table && live.enabled && isKnown) return null;
  const found =
    live.table !== table
      ? `stands on ${live.table}`
      : live.enabled
        ? "does something else than what this package or the reference makes"
        : "is disabled";
  const drop = `DROP TRIGGER ${name}${dialect === "postgresql" ? ` ON ${live.table}` : ""}`;
  return {
    text:
      `trigger ${name} on ${table} ${found}, so old and new nodes may not read the same: ` +
      `${drop}, then glance-manage db expand makes it again`,
  };
}

export function indexDifference(
  schema: LiveSchema,
  table: string,
  name: string,
  columns: readonly string[],
): Difference | null {
  const live = schema.table(table)?.indexes.get(name);
  if (!live || live.join() === columns.join()) return null;
  return {
    text:
      `index ${name} on ${table} holds (${live.join(", ")}) and should hold (${columns.join(", ")}), so lists are slow: ` +
      "drop it, then glance-manage db expand makes it again",
    harmless: true,
  };
}

/** `definition`: what follows the name in ADD COLUMN. */
export function columnDifference(
  schema: LiveSchema,
  table: string,
  name: string,
  definition: string,
): Difference | null {
  const live = schema.column(table, name);
  if (!live) return null;
  const wanted = wantedColumn(definition);
  const same =
    holds(plainType(live.type), wanted.type) &&
    live.nullable === wanted.nullable &&
    plainDefault(live.defaultSql) === wanted.defaultSql;
  if (same) return null;
  return {
    text:
      `column ${table}.${name} is ${describe(live)} and should be ${definition.trim()}: ` +
      "give it that definition, then run the same command again",
  };
}

function wantedColumn(definition: string): Omit<LiveColumn, "name"> {
  const [type = ""] = definition.split(/\s+(?=NOT NULL|NULL|DEFAULT)/i);
  const found = /\bDEFAULT\s+('[^']*'|\S+)/i.exec(definition)?.[1];
  return {
    type: plainType(type),
    nullable: !/\bNOT NULL\b/i.test(definition),
    defaultSql: plainDefault(found ?? null),
  };
}

function plainType(type: string): string {
  return (
    type
      .toLowerCase()
      .replace(/\s*,\s*/g, ",")
      .replace("character varying", "varchar")
      // Where the search_path does not lead to its schema.
      .replace(/^\w+\./, "")
      .trim()
  );
}

/** Text may be longer than it has to be. */
function holds(type: string, wanted: string): boolean {
  const [length, wantedLength] = [type, wanted].map((one) => /^varchar\((\d+)\)$/.exec(one)?.[1]);
  return (
    type === wanted || (length !== undefined && wantedLength !== undefined && Number(length) >= Number(wantedLength))
  );
}

/** 0, '0', (0), false and `'shared'::image_visibility` as servers write them. */
function plainDefault(sql: string | null): string | null {
  const text = (sql ?? "null")
    .toLowerCase()
    .replace(/::[\w" ]+(\(\d+\))?$/, "")
    .replace(/^\((.*)\)$/, "$1")
    .replace(/^b?'(.*)'$/, "$1");
  if (text === "null") return null;
  return text === "false" ? "0" : text === "true" ? "1" : text;
}

function describe({ type, nullable, defaultSql }: LiveColumn): string {
  return `${type} ${nullable ? "NULL" : "NOT NULL"}${defaultSql === null ? "" : ` DEFAULT ${defaultSql}`}`;
}

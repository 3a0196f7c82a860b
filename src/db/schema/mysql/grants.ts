// What the connected user may do in this database, read from SHOW GRANTS as far as that can be read.
import type { Queryable } from "../../database.ts";

export type Grants = {
  /** `user@host`, as the server matched it. */
  readonly user: string;
  readonly database: string;
  /** Upper case; those on every database, and those on this one with them. ALL PRIVILEGES stands as it is. */
  readonly global: ReadonlySet<string>;
  readonly all: ReadonlySet<string>;
  /** A role that is not shown in full might grant more: what is missing is then not certain. */
  readonly hasRoles: boolean;
};

const everywhere = "*.*";

export async function readGrants(db: Queryable): Promise<Grants> {
  const [row] = await db.query<{ u: string; d: string }>("SELECT CURRENT_USER() AS u, DATABASE() AS d");
  const lines = (await db.query("SHOW GRANTS")).map((one) => String(Object.values(one)[0]));
  return { user: row?.u ?? "", database: row?.d ?? "", ...parseGrants(lines, row?.d ?? "") };
}

export function parseGrants(lines: readonly string[], database: string): Pick<Grants, "global" | "all" | "hasRoles"> {
  const global = new Set<string>();
  const all = new Set<string>();
  let hasRoles = false;
  for (const line of lines) {
    const [, list, scope] = /^GRANT (.+?) ON (.+?) TO /.exec(line) ?? [];
    if (list === undefined || scope === undefined) {
      hasRoles ||= /^GRANT .+ TO /.test(line);
      continue;
    }
    if (!covers(scope, database)) continue;
    for (const privilege of list.split(",").map((one) => one.trim().toUpperCase())) {
      all.add(privilege);
      if (scope === everywhere) global.add(privilege);
    }
  }
  return { global, all, hasRoles };
}

/** `*.*`, or a pattern of LIKE in backquotes with a dot and a star. Grants on single tables or routines do not count. */
function covers(scope: string, database: string): boolean {
  if (scope === everywhere) return true;
  const [, pattern] = /^[`"'](.*)[`"']\.\*$/.exec(scope) ?? [];
  if (pattern === undefined) return false;
  const source = pattern.replace(/\\(.)|[^A-Za-z0-9]/g, (part, escaped?: string) => {
    if (part === "%") return ".*";
    if (part === "_") return ".";
    const letter = escaped ?? part;
    return /\w/.test(letter) ? letter : `\\${letter}`;
  });
  return new RegExp(`^${source}$`, "i").test(database);
}

export function missingPrivileges(grants: Grants, needed: readonly string[]): readonly string[] {
  if (grants.hasRoles || grants.all.has("ALL PRIVILEGES") || grants.all.has("ALL")) return [];
  return needed.filter((privilege) => !grants.all.has(privilege));
}

/** Such as PROCESS and SUPER, which ALL PRIVILEGES on one database does not bring. */
export function hasGlobal(grants: Grants, privilege: string): boolean {
  return grants.hasRoles || grants.global.has(privilege) || grants.global.has("ALL PRIVILEGES");
}

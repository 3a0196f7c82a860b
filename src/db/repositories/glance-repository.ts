// What the database knows of nodes of Glance, which register nowhere: those that glance-rollout has seen, the tasks that no lease of ours
// explains, and the connections there are.
import { isServiceError } from "../../core/errors.ts";
import { foreignSchemes } from "../../images/foreign-data.ts";
import type { Database, Dialect } from "../database.ts";
import { presentTables } from "../schema/schema-tools.ts";

const table = "perennial_rollout_glance";
/** Without a sign of life for so long, Glance itself takes a task for dead. */
const silentSecondsMax = 3_600;

export type GlanceRow = {
  /** Of the fleet's node. */
  readonly name: string;
  readonly address: string;
  readonly release: string;
  /** For people: its process. */
  readonly told: string;
};
/** One that was alive when it was looked for last. */
export type SeenGlance = GlanceRow & { readonly secondsAgo: number };

export interface GlanceRepository {
  /** Those that live, as far as is known; none where the table is missing. */
  living(): Promise<readonly SeenGlance[]>;
  /** It was seen alive just now. */
  saw(glance: GlanceRow): Promise<void>;
  /** It was looked for and is gone. */
  gone(name: string): Promise<void>;
  /** Tasks (imports) under way in some process of Glance, by their ids. */
  tasks(): Promise<readonly string[]>;
  /** The clients' ends of all connections to this database that we may see, as `host:port`. */
  connections(): Promise<readonly string[]>;
  /** How many locations of images lie in kinds of stores that we do not have, by the scheme of their URLs. Reads all locations; encrypted ones tell nothing. */
  foreignLocations(): Promise<ReadonlyMap<string, number>>;
}

const connectionQueries: Record<Dialect["name"], string | null> = {
  mysql: "SELECT host AS client FROM information_schema.processlist WHERE db = DATABASE()",
  postgresql: `SELECT host(client_addr) || ':' || client_port AS client FROM pg_stat_activity
    WHERE datname = current_database() AND client_addr IS NOT NULL`,
  sqlite: null,
};

export function createGlanceRepository(db: Database): GlanceRepository {
  const { nowSql, secondsSinceSql } = db.dialect;
  return {
    async living() {
      if (!(await presentTables(db)).has(table)) return [];
      const rows = await db.query<Record<"name" | "address" | "release_id" | "told", string> & { s: unknown }>(
        `SELECT name, address, release_id, told, ${secondsSinceSql("seen_at")} AS s FROM ${table} ORDER BY name`,
      );
      return rows.map(({ name, address, release_id: release, told, s }) => {
        return { name, address, release, told, secondsAgo: Math.max(0, Math.round(Number(s))) };
      });
    },

    async saw({ name, address, release, told }) {
      const update = () =>
        db.run(`UPDATE ${table} SET address = ?, release_id = ?, told = ?, seen_at = ${nowSql} WHERE name = ?`, [
          address,
          release,
          told,
          name,
        ]);
      const known = await db.query(`SELECT name FROM ${table} WHERE name = ?`, [name]);
      if (known.length > 0) return void (await update());
      try {
        await db.run(`INSERT INTO ${table} (name, address, release_id, told, seen_at) VALUES (?, ?, ?, ?, ${nowSql})`, [
          name,
          address,
          release,
          told,
        ]);
      } catch (error) {
        // Whoever wrote it saw the same.
        if (!isServiceError(error, "db.duplicate")) throw error;
      }
    },

    async gone(name) {
      await db.run(`DELETE FROM ${table} WHERE name = ?`, [name]);
    },

    async tasks() {
      const isOurs = (await presentTables(db)).has("perennial_imports")
        ? "AND NOT EXISTS (SELECT 1 FROM perennial_imports i WHERE i.task_id = t.id)"
        : "";
      const rows = await db.query<{ id: string }>(
        `SELECT t.id AS id FROM tasks t WHERE t.status IN ('pending', 'processing') AND t.deleted = false
         AND ${secondsSinceSql("t.updated_at")} <= ${silentSecondsMax} ${isOurs} ORDER BY t.id`,
      );
      return rows.map(({ id }) => id);
    },

    async connections() {
      const sql = connectionQueries[db.dialect.name];
      if (sql === null) return [];
      return (await db.query<{ client: string }>(sql)).map(({ client }) => client);
    },

    async foreignLocations() {
      const counts = foreignSchemes.map(
        (scheme) => `SUM(CASE WHEN value LIKE '${scheme}://%' THEN 1 ELSE 0 END) AS ${scheme}`,
      );
      const [row = {}] = await db.query<Record<string, unknown>>(
        `SELECT ${counts.join(", ")} FROM image_locations WHERE deleted = false`,
      );
      const found = foreignSchemes.map((scheme): [string, number] => [scheme, Number(row[scheme] ?? 0)]);
      return new Map(found.filter(([, locations]) => locations > 0));
    },
  };
}

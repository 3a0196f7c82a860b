// The database of a fleet: a file, or an empty database on a private server of its own.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { startMariadb } from "../test/servers/mariadb.ts";
import { startPostgresql } from "../test/servers/postgresql.ts";

export const databaseKinds = ["sqlite", "mariadb", "postgresql"] as const;
export type DatabaseKind = (typeof databaseKinds)[number];

/** The connection as the fleet's files name it, and what ends its server. */
export type FleetDatabase = { readonly connection: string; stop(): Promise<void> };

type Make = (options: { folder: string; name: string; progress: (text: string) => void }) => Promise<FleetDatabase>;

const makers: Record<DatabaseKind, Make> = {
  async sqlite({ folder }) {
    return { connection: `sqlite:///${join(folder, "glance.sqlite")}`, stop: async () => undefined };
  },
  async mariadb({ name, progress }) {
    progress("starting a private MariaDB");
    const server = await startMariadb();
    return { connection: await server.createDatabase(name), stop: () => server.stop() };
  },
  async postgresql({ name, progress }) {
    progress("starting a private PostgreSQL");
    const server = await startPostgresql();
    return { connection: await server.createDatabase({ name }), stop: () => server.stop() };
  },
};

/** `folder` is the fleet's, and holds the file of a SQLite database. */
export function makeDatabase(
  kind: DatabaseKind,
  options: { folder: string; progress: (text: string) => void },
): Promise<FleetDatabase> {
  return makers[kind]({ ...options, name: `glance_${randomBytes(4).toString("hex")}` });
}

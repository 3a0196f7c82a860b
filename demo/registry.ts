// Looks into the fleet's registry (perennial_nodes) as any operator's tool could: which node serves what, and what it has under way.
import { openDatabase } from "../src/db/connect.ts";

export type RegistryRow = {
  readonly name: string;
  readonly release: string;
  readonly state: string;
  readonly uploads: number;
  readonly downloads: number;
};

export type Registry = { rows(): Promise<readonly RegistryRow[]>; close(): Promise<void> };

export async function openRegistry(connection: string): Promise<Registry> {
  const database = await openDatabase(connection, { poolSizeMax: 1 });
  return {
    async rows() {
      const rows = await database.query<{
        name: string;
        release_id: string;
        state: string;
        uploads: number;
        downloads: number;
      }>("SELECT name, release_id, state, uploads, downloads FROM perennial_nodes ORDER BY name");
      return rows.map((row) => ({
        name: row.name,
        release: row.release_id,
        state: row.state,
        uploads: Number(row.uploads),
        downloads: Number(row.downloads),
      }));
    },
    close: () => database.close(),
  };
}

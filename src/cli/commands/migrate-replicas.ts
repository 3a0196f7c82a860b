// Opens the replicas whose lag holds a data migration back. One that cannot be asked at all is a mistake of the command line, and found
// before anything is done; one that goes away later only slows the migration down.
import type { Config } from "../../core/config.ts";
import { errorText, ServiceError } from "../../core/errors.ts";
import { openDatabase, readDatabaseConfig } from "../../db/connect.ts";
import { batchDialectOf } from "../../db/schema/batch-dialect.ts";
import type { Replica } from "../../db/schema/pace.ts";

/** Throws config.invalid for a server that cannot be reached or asked, or is no replica. */
export async function withReplicas<T>(
  urls: readonly string[],
  config: Config,
  work: (replicas: readonly Replica[]) => Promise<T>,
): Promise<T> {
  const { options } = readDatabaseConfig(config);
  const replicas: Replica[] = [];
  try {
    for (const url of urls) replicas.push(await open(url, options));
    return await work(replicas);
  } finally {
    for (const { db } of replicas) await db.close();
  }
}

async function open(url: string, options: Parameters<typeof openDatabase>[1]): Promise<Replica> {
  const name = nameOf(url);
  try {
    const db = await openDatabase(url, { ...options, connectAttemptsMax: 1 });
    try {
      const lag = await (await batchDialectOf(db)).replicaLag(db);
      if (lag === null) throw new Error("it does not replicate from anywhere");
      return { name, db };
    } catch (error) {
      await db.close();
      throw error;
    }
  } catch (cause) {
    throw new ServiceError("config.invalid", `--replica ${name}: ${errorText(cause)}`, {
      facts: { option: "replica" },
      cause,
    });
  }
}

/** Without user and password. */
function nameOf(url: string): string {
  try {
    return new URL(url).host || "(a file)";
  } catch {
    return "(not a URL)";
  }
}

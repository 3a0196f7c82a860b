// Loads files of metadata definitions: one transaction for each namespace, so that whatever ends a run leaves whole namespaces. A file
// that cannot be loaded does not keep the others out.
import { errorText, isServiceError } from "../../core/errors.ts";
import type { MetadefNamespace } from "../../metadefs/metadef.ts";
import type { Database } from "../database.ts";
import { badFile, metadefFiles, readMetadefFile } from "./metadef-files.ts";
import { findNamespace, insertNamespace, mergeNamespace, removeNamespace, type Writing } from "./metadef-rows.ts";

/**
 * What becomes of a namespace that exists: `skip` leaves it, `merge` adds what it lacks, `prefer_new` also changes what it has to what
 * the file says, `overwrite` puts the file's in its place.
 */
export type LoadMode = "skip" | "merge" | "prefer_new" | "overwrite";

export type LoadedFile =
  | { readonly file: string; readonly namespace: string; readonly outcome: "added" | "skipped" | "merged" | "replaced" }
  | { readonly file: string; readonly outcome: "failed"; readonly why: string };

type LoadOptions = {
  readonly db: Database;
  /** A folder, or one file. */
  readonly path: string;
  readonly mode: LoadMode;
  /** Told of each file as it is done. */
  readonly on?: (loaded: LoadedFile) => void;
  /** Ends the run between two files. */
  readonly signal?: AbortSignal;
};

/** How often a transaction is tried in which another loader's rows got in the way. */
const attemptsMax = 5;

/** Throws metadefs.bad_file where the path has no file, and what the database throws where no file could do better. */
export async function loadMetadefs(options: LoadOptions): Promise<readonly LoadedFile[]> {
  const loaded: LoadedFile[] = [];
  for (const file of await metadefFiles(options.path)) {
    options.signal?.throwIfAborted();
    const one = await loadFile(options, file);
    options.on?.(one);
    loaded.push(one);
  }
  return loaded;
}

async function loadFile({ db, mode }: LoadOptions, file: string): Promise<LoadedFile> {
  try {
    const namespace = await readMetadefFile(file);
    const outcome = await loadNamespace(db, namespace, mode);
    return { file, namespace: namespace.namespace, outcome };
  } catch (error) {
    if (isServiceError(error, "metadefs.bad_file")) return { file, outcome: "failed", why: error.message };
    // The database's objections to a value: of this file alone.
    if (isServiceError(error, "db.duplicate", "db.integrity"))
      return { file, outcome: "failed", why: badFile(file, errorText(error)).message };
    throw error;
  }
}

type Outcome = Exclude<LoadedFile, { outcome: "failed" }>["outcome"];

async function loadNamespace(db: Database, one: MetadefNamespace, mode: LoadMode): Promise<Outcome> {
  for (let attempt = 1; ; attempt++)
    try {
      return await tryOnce(db, one, mode);
    } catch (error) {
      // Somebody wrote the same namespace or resource type: next time it is found. Two names of one file that the database takes for
      // the same end here as well, after the last attempt.
      if (attempt === attemptsMax || !isServiceError(error, "db.duplicate")) throw error;
    }
}

function tryOnce(db: Database, one: MetadefNamespace, mode: LoadMode): Promise<Outcome> {
  const { dialect } = db;
  const now = dialect.encodeTime(new Date().toISOString());
  const writing: Writing = {
    dialect,
    now,
    preferNew: mode === "prefer_new",
    stamps: ["created_at"],
    protectsTypes: true,
  };
  return db.transaction(async (tx) => {
    const id = await findNamespace(tx, one.namespace, dialect);
    if (id !== undefined && mode === "skip") return "skipped";
    if (id !== undefined && mode !== "overwrite") {
      await mergeNamespace(tx, id, one, writing);
      return "merged";
    }
    if (id !== undefined) await removeNamespace(tx, id);
    await insertNamespace(tx, one, writing);
    return id === undefined ? "added" : "replaced";
  });
}

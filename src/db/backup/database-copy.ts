// What a kind of database contributes to backups: how its data gets into one file, how a file is proven, and how it gets back.
import type { Database } from "../database.ts";
import type { DatabaseUrl } from "../url.ts";

/** Table name to its number of rows. */
export type Rows = Readonly<Record<string, number>>;

/** One pass over the data: it ends early by the signal, and tells how it goes. */
export type Pass = {
  readonly signal: AbortSignal;
  /** Called with every piece of plain bytes that went by. */
  readonly moved: (bytes: number) => void;
};

export type FileFacts = {
  /** Of the compressed file. */
  readonly bytes: number;
  readonly sha256: string;
  readonly plainBytes: number;
};

export type CopySource<U extends DatabaseUrl = DatabaseUrl> = { readonly db: Database; readonly url: U };

export type Scratched<T> = { readonly result: T } | { readonly refused: string };

export interface DatabaseCopy {
  /** Of the data file's name. */
  readonly ending: string;
  /** Versions, for the manifest. Throws where a tool is missing. */
  about(): Promise<{ readonly server: string; readonly program: string }>;
  /** About how many plain bytes there are to write; for progress and for the room that is needed. */
  plainBytes(): Promise<number>;
  /** Free bytes that writing and reading back needs beside the backup, of so many plain bytes. */
  bytesNeeded(plainBytes: number): number;
  /** Writes one consistent snapshot to a file that does not exist yet, on disk when it resolves; others write on meanwhile. */
  write(path: string, pass: Pass): Promise<FileFacts & { readonly rows: Rows }>;
  /** Reads all of the file; its rows where they can be told from the file as it is. Rejects where it is not whole. */
  read(path: string, pass: Pass): Promise<FileFacts & { readonly rows: Rows | null }>;
  /**
   * Restores the file into a database of its own, lets `work` look at it and removes it again. `refused` says why that cannot be tried
   * here: a privilege is missing, or room. Rejects where the file cannot be restored.
   */
  withScratch<T>(path: string, pass: Pass, work: (scratch: Database) => Promise<T>): Promise<Scratched<T>>;
  /** Removes scratch databases of runs that were killed. The caller holds the backup lock, so none is in use. */
  removeLeftovers(): Promise<void>;
  /**
   * Puts the file's data in the place of what is there. `seal` looks at the result, and puts right what must not come back, before anyone
   * may use it. Killed in the middle it leaves what was there before, or a database marked as half restored (restore-marker.ts).
   * `db` may be closed afterwards.
   */
  replace(path: string, pass: Pass, options: ReplaceOptions): Promise<void>;
  /** A command line that brings the data back without us. */
  byHand(file: string): string;
}

export type ReplaceOptions = {
  readonly seal: (db: Database) => Promise<void>;
  /** For the marker: where the data comes from. */
  readonly label: string;
  /** Nothing is lost when a failed restore empties the database again. */
  readonly wasEmpty: boolean;
};

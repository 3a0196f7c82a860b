// What a kind of database contributes to a backup: how big it will be, how it is written, and how it is read back.
import type { Database } from "../../db/database.ts";

export type CopyContext = {
  readonly db: Database;
  /** The backup's folder. */
  readonly folder: string;
  /** Without ending; unused names in the folder begin with it. */
  readonly name: string;
  readonly signal: AbortSignal;
};

export type WrittenCopy = {
  /** In the folder. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly rows: Readonly<Record<string, number>>;
};

export interface DatabaseCopy {
  /** Free bytes that writing and reading back needs, at a careful guess. */
  bytesNeeded(context: CopyContext): Promise<number>;
  write(context: CopyContext): Promise<WrittenCopy>;
  /** Reads all of it again and counts anew, from the file alone. Rejects where it is not whole. */
  readBack(context: CopyContext, file: string): Promise<Omit<WrittenCopy, "file">>;
  /** A command line that brings the data back. */
  restore(file: string): string;
}

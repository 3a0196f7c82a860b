// The contract of every image store. Other rooms import this file, never a driver folder.
import type { Readable } from "node:stream";

export type ByteRange = {
  /** First byte, from 0. */
  readonly start: number;
  /** Last byte, included. */
  readonly end: number;
};

export type PutOptions = { readonly signal: AbortSignal; readonly expectedBytes?: number | null };

export type StoredBlob = {
  readonly url: string;
  readonly sizeBytes: number;
  /** What the operator wants noted with locations of this store (filesystem_store_metadata_file); absent: nothing. */
  readonly metadata?: Readonly<Record<string, unknown>>;
};

/** Projects by their ids, beside the one that owns an image. */
export type Readers = "everybody" | readonly string[];

export interface Store {
  /** What differs between drivers, declared so that nobody asks for a driver's name. */
  readonly properties: {
    /** URL schemes this store's locations have, e.g. `file`. */
    readonly schemes: readonly string[];
    /** False: it only gives data that is there already. */
    readonly writable: boolean;
    /** It reads and removes nothing but what `owns` says is its own, and only nodes name locations of its schemes. */
    readonly confined?: true;
    /** What admins are shown of it, under the reference's names; never a secret. */
    readonly shown: Readonly<Record<string, string | number | boolean>>;
  };
  /** Whether data under this URL would lie in this store, as far as the URL tells. Costs nothing. */
  owns(url: string): boolean;
  /**
   * Stores all of `source` under `key` (an image id), durably, or nothing: a failed or aborted put leaves no blob behind,
   * and a put that was killed leaves at most a partial blob that `remove(locationFor(key))` takes away. A remove while a put is under way
   * fences it: that put fails, whatever it does next.
   * Owns `source` from the call on: destroyed when the put fails. A failure of `source` itself is thrown as it is, so that the caller knows it again.
   * `expectedBytes`: what the client announced; where there is no room for it nothing is read.
   * Throws stores.blob_exists where a complete blob stands already, stores.full, stores.read_only, stores.unavailable; the signal's reason.
   */
  put(key: string, source: Readable, options: PutOptions): Promise<StoredBlob>;
  /** The URL that a put of `key` will return, so that a lease can name it before a byte is written. */
  locationFor(key: string): string;
  /**
   * Yields the bytes of `range`, all when absent; fewer bytes than the blob should have are an error of the stream, never a silent end.
   * An aborted signal destroys the stream. Throws stores.blob_not_found, stores.unavailable.
   */
  open(url: string, options: { signal: AbortSignal; range?: ByteRange }): Promise<Readable>;
  /** Size in bytes. Throws stores.blob_not_found. */
  size(url: string): Promise<number>;
  /**
   * Removes the blob and any partial data of it. Removing what is already gone succeeds: a retry after a lost reply must be harmless.
   * Throws stores.blob_not_found where the URL cannot be one of this store's, stores.in_use where something else needs
   * the data, stores.read_only where removing is not allowed, stores.unavailable.
   */
  remove(url: string): Promise<void>;
  /**
   * Of a store that keeps each project's data in a place of its own, which puts and locationFor have to be told: the store as it is for new
   * data of this project (null: nobody's), or for what is to lie under this URL. Not to be closed. Absent: one place for all.
   * Throws stores.unavailable, stores.read_only, stores.blob_not_found (no URL of this store).
   */
  within?(where: { readonly project: string | null } | { readonly url: string }): Promise<Store>;
  /**
   * Of such a store: who may read the data there by a token of their own, nobody else from then on. Absent: this service alone reads it.
   * Throws stores.blob_not_found, stores.unavailable, stores.read_only.
   */
  share?(url: string, readers: Readers): Promise<void>;
  /** Safe to call twice. */
  close(): Promise<void>;
}

// Ceph's C libraries, librados and librbd, as functions that throw. Every call blocks: this file is for threads alone.
// The calls are documented in Ceph's own headers rados/librados.h and rbd/librbd.h.
import { getSystemErrorMap, getSystemErrorName } from "node:util";
import koffi from "koffi";
import type { ErrorName } from "./ceph-protocol.ts";

/** A call that Ceph refused; `errno` is positive, as in `os.constants.errno`. */
export class CephError extends Error {
  readonly errno: number;

  constructor(call: string, errno: number) {
    const [name, text] = getSystemErrorMap().get(-errno) ?? [`error ${errno}`, "no text for it"];
    super(`${call}: ${name}, ${text}`);
    this.name = "CephError";
    this.errno = errno;
  }
}

const handle = "void *";
const address = "void *";
const text = "str";
const size = "size_t";
const bytes = "uint64_t";

/** Functions that give 0 or more, or the negative number of an error. */
const signatures = {
  "librados.so.2": {
    rados_create: [address, text],
    rados_conf_read_file: [handle, text],
    rados_conf_set: [handle, text, text],
    rados_conf_get: [handle, text, address, size],
    rados_connect: [handle],
    rados_cluster_fsid: [handle, address, size],
    rados_cluster_stat: [handle, address],
    rados_ioctx_create: [handle, text, address],
  },
  "librbd.so.1": {
    rbd_create2: [handle, text, bytes, bytes, address],
    rbd_rename: [handle, text, text],
    rbd_remove: [handle, text],
    rbd_open: [handle, text, address, text],
    rbd_open_read_only: [handle, text, address, text],
    rbd_close: [handle],
    rbd_get_size: [handle, address],
    rbd_get_id: [handle, address, size],
    rbd_resize: [handle, bytes],
    rbd_read: [handle, bytes, size, address],
    rbd_write: [handle, bytes, size, address],
    rbd_flush: [handle],
    rbd_snap_create: [handle, text],
    rbd_snap_protect: [handle, text],
    rbd_snap_unprotect: [handle, text],
    rbd_snap_remove: [handle, text],
    rbd_snap_exists: [handle, text, address],
    rbd_metadata_set: [handle, text, text],
    rbd_metadata_get: [handle, text, address, address],
    rbd_list_children3: [handle, address, address],
    rbd_watchers_list: [handle, address, address],
  },
} as const;

type Signatures = (typeof signatures)["librados.so.2"] & (typeof signatures)["librbd.so.1"];
type CType = { "void *": bigint | ArrayBufferView | null; str: string | null; size_t: number; uint64_t: number };
type Arguments<T extends readonly (keyof CType)[]> = { -readonly [at in keyof T]: CType[T[at]] };

/** Each gives what the call gave and throws CephError where that is negative. */
export type CephLibrary = {
  readonly [name in keyof Signatures]: (...args: Arguments<Signatures[name]>) => number;
} & { rados_shutdown(cluster: bigint): void; rados_ioctx_destroy(pool: bigint): void };

/** Throws an Error that says what to install. */
export function loadCeph(): CephLibrary {
  const functions: Record<string, unknown> = {};
  for (const [file, calls] of Object.entries(signatures)) {
    const library = loaded(file);
    for (const [name, args] of Object.entries(calls)) {
      const result = name === "rbd_read" || name === "rbd_write" ? "int64_t" : "int";
      const call = library.func(name, result, [...args]);
      functions[name] = (...given: unknown[]) => {
        const gave = Number(call(...given));
        if (gave < 0) throw new CephError(name, -gave);
        return gave;
      };
    }
    if (file !== "librados.so.2") continue;
    for (const name of ["rados_shutdown", "rados_ioctx_destroy"])
      functions[name] = library.func(name, "void", [handle]);
  }
  return functions as CephLibrary;
}

function loaded(file: string) {
  try {
    return koffi.load(file);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`Ceph's ${file} cannot be loaded (${why}): install Debian's packages librados2 and librbd1`);
  }
}

/** What `call` gives; undefined where it throws one of `names`, such as ENOENT. */
export function unless<T>(names: readonly ErrorName[], call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (error instanceof CephError && names.some((name) => name === getSystemErrorName(-error.errno))) return undefined;
    throw error;
  }
}

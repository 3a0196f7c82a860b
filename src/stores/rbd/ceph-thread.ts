// A thread that carries out orders to Ceph, one after the other, so that neither the event loop nor the pool of threads that Node.js shares
// among files and names ever waits for a cluster.
import { constants } from "node:os";
import { parentPort } from "node:worker_threads";
import { errorText } from "../../core/errors.ts";
import { CephError, type CephLibrary, loadCeph, unless } from "./ceph-library.ts";
import type { CephOrders, NamedImage, OpenImage, OrderName, Reply, Request } from "./ceph-protocol.ts";

/** Metadata of an image that is being written: it is to be removed. */
const unwantedMark = "perennial_unwanted";
/** RBD_FEATURE_LAYERING, without which no copy-on-write clone can be made of an image. */
const layering = 1;
const configured = ["client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout"] as const;

type Handlers = { readonly [name in OrderName]: (given: CephOrders[name]["given"]) => CephOrders[name]["gives"] };

function handlersOf(ceph: CephLibrary): Handlers {
  /** The 64 bits that `call` writes. */
  const out = (call: (place: BigUint64Array) => unknown): bigint => {
    const place = new BigUint64Array(1);
    call(place);
    return place[0] ?? 0n;
  };
  const string = (call: (place: Uint8Array) => unknown): string => {
    const place = new Uint8Array(256);
    call(place);
    return Buffer.from(place.subarray(0, place.indexOf(0))).toString();
  };
  /** Of a call that lists: with room for nothing it fails where there is any. */
  const isAny = (call: (count: BigUint64Array) => unknown): boolean =>
    unless(["ERANGE"], () => call(new BigUint64Array(1))) === undefined;

  const withImage = <T>(
    { pool, name }: NamedImage,
    how: "rbd_open" | "rbd_open_read_only",
    use: (image: OpenImage) => T,
  ): T => {
    const image = out((place) => ceph[how](pool, name, place, null));
    try {
      return use(image);
    } finally {
      ceph.rbd_close(image);
    }
  };
  /**
   * A complete image has its snapshot, and one that is being written is watched by whoever writes it; looked at read-only, for that is no watch.
   * Throws ENOENT, EBUSY where clones need it, or where it is complete and open for writing.
   */
  const stateOf = (named: NamedImage, snapshot: string | null): "complete" | "being_written" | "dead" =>
    withImage(named, "rbd_open_read_only", (image) => {
      const exists = new Uint8Array(1);
      if (snapshot !== null) ceph.rbd_snap_exists(image, snapshot, exists);
      const complete = snapshot === null || exists[0] === 1;
      const watched = isAny((count) => ceph.rbd_watchers_list(image, null, count));
      if (!complete) return watched ? "being_written" : "dead";
      if (watched) throw new CephError("somebody has it open", constants.errno.EBUSY);
      if (isAny((count) => ceph.rbd_list_children3(image, null, count)))
        throw new CephError("it has clones", constants.errno.EBUSY);
      return "complete";
    });
  const removeSnapshot = (image: OpenImage, snapshot: string): void => {
    // EINVAL: it is not protected, as a removal that was cut off leaves it.
    unless(["EINVAL", "ENOENT"], () => ceph.rbd_snap_unprotect(image, snapshot));
    unless(["ENOENT"], () => ceph.rbd_snap_remove(image, snapshot));
  };

  return {
    connect({ conf, user, timeoutSeconds }) {
      const cluster = out((place) => ceph.rados_create(place, user));
      try {
        ceph.rados_conf_read_file(cluster, conf);
        for (const option of configured) ceph.rados_conf_set(cluster, option, String(timeoutSeconds));
        // What is written is with the cluster when the call returns, and no open image holds 32 MiB.
        ceph.rados_conf_set(cluster, "rbd_cache", "false");
        ceph.rados_connect(cluster);
        const fsid = string((place) => ceph.rados_cluster_fsid(cluster, place, place.length));
        const features = string((place) => ceph.rados_conf_get(cluster, "rbd_default_features", place, place.length));
        return { cluster, fsid, features: Number(features) || layering };
      } catch (error) {
        ceph.rados_shutdown(cluster);
        throw error;
      }
    },
    disconnect({ cluster }) {
      ceph.rados_shutdown(cluster);
      return null;
    },
    openPool: ({ cluster, name }) => out((place) => ceph.rados_ioctx_create(cluster, name, place)),
    closePool({ pool }) {
      ceph.rados_ioctx_destroy(pool);
      return null;
    },
    freeBytes({ cluster }) {
      // Of rados_cluster_stat_t: kb, kb_used, kb_avail, num_objects.
      const statistics = new BigUint64Array(4);
      ceph.rados_cluster_stat(cluster, statistics);
      return statistics[0] ? Number(statistics[2]) * 1_024 : null;
    },
    create({ pool, name, snapshot, attempt, bytes, order, features }) {
      // Of a process that dies before the renaming an empty image stays, under a name that nobody asks for.
      const own = `${name}.${attempt}`;
      ceph.rbd_create2(pool, own, bytes, features, new Int32Array([order]));
      let image: OpenImage | undefined;
      try {
        image = out((place) => ceph.rbd_open(pool, own, place, null));
        const takeName = () => unless(["EEXIST"], () => ceph.rbd_rename(pool, own, name)) !== undefined;
        if (takeName()) return image;
        const there = unless(["ENOENT", "EBUSY"], () => stateOf({ pool, name }, snapshot));
        // Somebody may have taken the name, and may be writing, by now: Ceph removes no image that is watched or has snapshots.
        if (there === "dead") unless(["ENOENT", "EBUSY", "ENOTEMPTY"], () => ceph.rbd_remove(pool, name));
        if (takeName()) return image;
        throw new CephError("rbd_rename", constants.errno.EEXIST);
      } catch (error) {
        if (image !== undefined) ceph.rbd_close(image);
        unless(["ENOENT"], () => ceph.rbd_remove(pool, own));
        throw error;
      }
    },
    write({ image, offset, data }) {
      ceph.rbd_write(image, offset, data.length, data);
      return null;
    },
    resize({ image, bytes }) {
      ceph.rbd_resize(image, bytes);
      return null;
    },
    isUnwanted({ image }) {
      const [value, length] = [new Uint8Array(8), new BigUint64Array([8n])];
      return unless(["ENOENT"], () => ceph.rbd_metadata_get(image, unwantedMark, value, length)) !== undefined;
    },
    seal({ image, snapshot }) {
      ceph.rbd_flush(image);
      ceph.rbd_snap_create(image, snapshot);
      ceph.rbd_snap_protect(image, snapshot);
      return null;
    },
    discard({ pool, name, image, snapshot }) {
      try {
        // While it is open nobody else can have removed it; from then on the name may be another's, whose image Ceph does not remove.
        removeSnapshot(image, snapshot);
      } finally {
        ceph.rbd_close(image);
      }
      unless(["ENOENT", "EBUSY", "ENOTEMPTY"], () => ceph.rbd_remove(pool, name));
      return null;
    },
    close({ image }) {
      ceph.rbd_close(image);
      return null;
    },
    open({ pool, name, snapshot }) {
      const image = out((place) => ceph.rbd_open_read_only(pool, name, place, snapshot));
      try {
        const bytes = Number(out((place) => ceph.rbd_get_size(image, place)));
        return { image, bytes, internalId: string((place) => ceph.rbd_get_id(image, place, place.length)) };
      } catch (error) {
        ceph.rbd_close(image);
        throw error;
      }
    },
    read({ image, offset, bytes }) {
      const data = new Uint8Array(bytes);
      return data.subarray(0, ceph.rbd_read(image, offset, bytes, data));
    },
    remove({ pool, name, snapshot }) {
      const named = { pool, name };
      const state = unless(["ENOENT"], () => stateOf(named, snapshot));
      if (state === "being_written") {
        unless(["ENOENT"], () =>
          withImage(named, "rbd_open", (image) => ceph.rbd_metadata_set(image, unwantedMark, "1")),
        );
        return state;
      }
      if (state === "complete" && snapshot !== null)
        unless(["ENOENT"], () => withImage(named, "rbd_open", (image) => removeSnapshot(image, snapshot)));
      if (state !== undefined) unless(["ENOENT"], () => ceph.rbd_remove(pool, name));
      return "removed";
    },
  };
}

const port = parentPort;
if (!port) throw new TypeError("this file is the body of a worker thread");
const reply = (message: Reply, moved: ArrayBuffer[] = []) => port.postMessage(message, moved);

let handlers: Handlers | undefined;
port.on("message", (request: Request | null) => {
  if (request === null) {
    // The last thing that keeps the thread.
    port.close();
    return;
  }
  const { name, given } = request;
  try {
    handlers ??= handlersOf(loadCeph());
    const gives = (handlers[name] as (given: unknown) => unknown)(given);
    reply({ gives }, gives instanceof Uint8Array ? [gives.buffer as ArrayBuffer] : []);
  } catch (error) {
    const errno = error instanceof CephError ? { errno: error.errno } : {};
    reply({ failure: { message: errorText(error), ...errno } });
  }
});

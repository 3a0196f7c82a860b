// What the process asks of its Ceph threads. Handles of the C libraries are addresses, valid in every thread of the process.

export type Cluster = bigint;
export type Pool = bigint;
export type OpenImage = bigint;

export type ClusterAccess = {
  /** Path of a ceph.conf; null: where Ceph looks for one by itself. */
  readonly conf: string | null;
  /** Null: Ceph's own default, `admin`. */
  readonly user: string | null;
  readonly timeoutSeconds: number;
};

/** By the order's name, its arguments and its result. */
export type CephOrders = {
  /** `features`: what Ceph's configuration says new images have. */
  connect: {
    given: ClusterAccess;
    gives: { readonly cluster: Cluster; readonly fsid: string; readonly features: number };
  };
  disconnect: { given: { readonly cluster: Cluster }; gives: null };
  /** Throws ENOENT. */
  openPool: { given: { readonly cluster: Cluster; readonly name: string }; gives: Pool };
  closePool: { given: { readonly pool: Pool }; gives: null };
  /** Bytes; null where the cluster does not know (it has no manager). */
  freeBytes: { given: { readonly cluster: Cluster }; gives: number | null };
  /**
   * Makes an image and opens it for writing, in such an order that whoever sees it under its name sees that somebody has it open.
   * Throws EEXIST where there is one that is complete or being written; one that is neither is replaced. `order`: the binary logarithm of
   * the size of its objects.
   */
  create: {
    given: NamedImage & {
      readonly snapshot: string;
      readonly attempt: string;
      readonly bytes: number;
      readonly order: number;
      readonly features: number;
    };
    gives: OpenImage;
  };
  write: { given: { readonly image: OpenImage; readonly offset: number; readonly data: Uint8Array }; gives: null };
  resize: { given: { readonly image: OpenImage; readonly bytes: number }; gives: null };
  /** Whether somebody has asked that it be removed while it is written. */
  isUnwanted: { given: { readonly image: OpenImage }; gives: boolean };
  /** Makes the image complete by its protected snapshot. */
  seal: { given: { readonly image: OpenImage; readonly snapshot: string }; gives: null };
  /** Closes an image that was being written, and takes it away. */
  discard: { given: NamedImage & { readonly image: OpenImage; readonly snapshot: string }; gives: null };
  close: { given: { readonly image: OpenImage }; gives: null };
  /** Opens it for reading. Throws ENOENT where the image or the snapshot is not there. */
  open: {
    given: NamedImage & { readonly snapshot: string | null };
    gives: { readonly image: OpenImage; readonly bytes: number; readonly internalId: string };
  };
  /** Fewer bytes only where the image ends. */
  read: { given: { readonly image: OpenImage; readonly offset: number; readonly bytes: number }; gives: Uint8Array };
  /**
   * `being_written`: somebody writes it, and has been told to stop; ask again. Throws EBUSY where clones, other snapshots or an open image need it.
   */
  remove: { given: NamedImage & { readonly snapshot: string | null }; gives: "removed" | "being_written" };
};

export type NamedImage = { readonly pool: Pool; readonly name: string };

export type OrderName = keyof CephOrders;

export type Request = { readonly name: OrderName; readonly given: CephOrders[OrderName]["given"] };

/** The system's names of what Ceph refuses with, as far as they mean something of their own here. ESHUTDOWN: the cluster has shut this client out. */
export type ErrorName =
  | "E2BIG"
  | "EACCES"
  | "EBUSY"
  | "EDQUOT"
  | "EEXIST"
  | "EFBIG"
  | "EINVAL"
  | "ENOENT"
  | "ENOSPC"
  | "ENOTEMPTY"
  | "EPERM"
  | "ERANGE"
  | "EROFS"
  | "ESHUTDOWN";

export type Failure = {
  readonly message: string /** The system's number of it; absent: no call of Ceph failed. */;
  readonly errno?: number;
};

export type Reply = { readonly failure: Failure } | { readonly gives: unknown };

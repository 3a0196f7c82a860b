// What the supervisor of a node and the process that takes over from it say to each other. They may be of two versions of the package,
// so messages of a newer format are refused rather than guessed at, and nothing here may change its meaning.
//
//   old                                        new (the socket on descriptor 3, an IPC channel on 4)
//    |--------- take-over: who and where -------->|  reads its configuration, passes the start guard, builds its workers
//    |<-------- ready, or fail: why --------------|  nobody listens yet
//   steps aside in the registry
//    |--------- serve --------------------------->|  takes the name and the pid file, its workers listen
//    |<-------- serving --------------------------|
//   stops listening, passes on what still comes over its connections, finishes what it has, ends
//
// Until `serving` the old process serves as if nothing was; a new one that fails or is too slow changes nothing. Where the old process
// dies before, the new one goes on alone.

/** Set to the format in the environment of a process that is to take over; taken out again at once. */
export const handOverVariable = "PERENNIAL_HANDOVER";
export const handOverFormat = 1;

/** The listening socket's descriptor in the new process. */
export const handedSocketFd = 3;

/** Where the old process listens, and how it came by the socket. */
export type TakeOver = {
  readonly do: "take-over";
  readonly format: number;
  readonly pid: number;
  readonly host: string;
  readonly port: number;
  /** The host as the configuration has it, where it may be a name. */
  readonly bindHost: string;
  /** A service manager keeps the socket open too. */
  readonly inherited: boolean;
  /**
   * The old process has put the new one into the idle class of the scheduler. The new one leaves it before it says that it is ready; where it does not,
   * as an old package that does not know of it, or took too long, the old one takes it out. Old packages do not say it.
   */
  readonly idle?: boolean;
};

export type ToSuccessor =
  | TakeOver
  | { readonly do: "serve" }
  /** A reload or a graceful stop that the old process was asked for, too late to be its own. */
  | { readonly do: "reload" }
  | { readonly do: "leave" };

export type ToPredecessor =
  | { readonly did: "ready" }
  | { readonly did: "fail"; readonly message: string }
  | { readonly did: "serving" }
  /** The node is to be gone at once, and with it what the old process still finishes. */
  | { readonly did: "cut" };

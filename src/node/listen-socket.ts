// Takes hold of the one socket a node serves on, bound here or handed over by a service manager (LISTEN_FDS), so that
// workers can inherit it. The supervisor never accepts on it: while no worker runs, connections wait in the kernel.
import { lookup } from "node:dns/promises";
import { closeSync } from "node:fs";
import { BoundSocket, createServer, isIP } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { errorText, isServiceError, ServiceError } from "../core/errors.ts";
import { anyOrphan } from "./orphans.ts";

export type ListenSocket = {
  /** To be inherited by workers; stays ours. */
  readonly fd: number;
  readonly host: string;
  readonly port: number;
  /** Handed over by a service manager, which keeps it open when we close. */
  readonly inherited: boolean;
  /** Gives up our hold. Connections are refused once the last holder has closed. Safe to call twice. */
  close(): void;
  /** Gives up our hold while another process serves on: nothing is taken from what waits in the queue. Safe to call twice. */
  leaveToOther(): void;
};

/** The first descriptor a service manager hands over, by the sd_listen_fds convention. */
const firstInheritedFd = 3;
/** Node takes 0 for its default. */
const queueMin = 1;

/**
 * The socket handed over by the service manager, if one was; the variables are taken out of `env`, since they concern this process alone.
 * Throws node.port_in_use where more than one was handed over, of which all but one would never be answered.
 */
export function takeInheritedSocket(
  env: Record<string, string | undefined>,
  options: { host: string; port: number; pid: number },
): ListenSocket | null {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = env;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete env[name];
  // Variables meant for another process are what a parent of ours forgot to take out.
  if (count === undefined || Number(pid) !== options.pid) return null;
  if (count !== "1") {
    const message = `the service manager handed over ${count} sockets; glance-api serves on one: give the socket unit a single ListenStream`;
    throw new ServiceError("node.port_in_use", message, { facts: { sockets: count } });
  }
  return heldSocket({ fd: firstInheritedFd, host: options.host, port: options.port, inherited: true });
}

/** A socket that this process was given as a descriptor. */
export function heldSocket(of: Pick<ListenSocket, "fd" | "host" | "port" | "inherited">): ListenSocket {
  let open = true;
  const leaveToOther = () => {
    if (open) closeSync(of.fd);
    open = false;
  };
  return {
    ...of,
    close() {
      // A service manager keeps its hold, and with it what waits in the queue.
      if (!open || of.inherited) return leaveToOther();
      open = false;
      closeBehindLast({ fd: of.fd });
    },
    leaveToOther,
  };
}

/** Binds host and port. Throws node.port_in_use where that is not possible, naming why. */
export async function bindSocket(options: { host: string; port: number }): Promise<ListenSocket> {
  const { port } = options;
  try {
    const host = isIP(options.host) ? options.host : (await lookup(options.host)).address;
    const socket = new BoundSocket({ host, port });
    let open = true;
    return {
      fd: socket.fd(),
      host,
      port: socket.address().port,
      inherited: false,
      close() {
        if (open) closeBehindLast(socket);
        open = false;
      },
      leaveToOther() {
        if (open) socket.close();
        open = false;
      },
    };
  } catch (error) {
    throw cannotListen(options, error);
  }
}

/**
 * Connections that lie in the kernel's queue when the last worker closes are reset. So few of them fit in from here on: a client
 * that does not look at health checks waits a second for its turn, and then is refused, which it can tell from a request that was lost.
 */
function closeBehindLast(socket: BoundSocket | { readonly fd: number }): void {
  const server = createServer();
  // A failure to listen is none here: the socket is about to be closed.
  server.on("error", () => undefined);
  server.listen(socket, queueMin);
  // In the same turn of the event loop, so that nothing is accepted here.
  server.close();
}

/** Workers of a killed supervisor hold its port for 2 s. */
const orphanPortMsMax = 5_000;
const portRetryMs = 100;

/** As bindSocket, but waits while the port may be held by workers whose supervisor was killed, and for nobody else. */
export async function bindSocketAfterOrphans(options: { host: string; port: number }): Promise<ListenSocket> {
  const giveUpMs = performance.now() + orphanPortMsMax;
  for (;;) {
    try {
      return await bindSocket(options);
    } catch (error) {
      const inUse = isServiceError(error) && error.facts.code === "EADDRINUSE";
      if (!inUse || performance.now() > giveUpMs || !anyOrphan()) throw error;
      await delay(portRetryMs);
    }
  }
}

/** Whether nobody listens there, or nobody will in a moment: a killed process and its workers may hold it until all of them are gone. */
export async function isFree(at: { host: string; port: number }): Promise<boolean> {
  for (const giveUpMs = performance.now() + orphanPortMsMax; performance.now() < giveUpMs; await delay(portRetryMs))
    try {
      (await bindSocket(at)).leaveToOther();
      return true;
    } catch {
      // Somebody has it still.
    }
  return false;
}

/** The one line for an address that cannot be had, from whichever process met it. */
export function cannotListen(at: { host: string; port: number }, cause: unknown): ServiceError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const where = `${at.host}:${at.port}`;
  const message =
    code === "EADDRINUSE"
      ? `${where} is already in use; stop what listens there, or change [DEFAULT] bind_host or bind_port`
      : code === "EACCES"
        ? `this user may not listen on ${where}; choose a [DEFAULT] bind_port of 1024 or more`
        : code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EAI_AGAIN"
          ? `${at.host} is not an address of this machine; correct [DEFAULT] bind_host`
          : `cannot listen on ${where}: ${errorText(cause)}; check [DEFAULT] bind_host and bind_port`;
  return new ServiceError("node.port_in_use", message, { facts: { host: at.host, port: at.port, code }, cause });
}

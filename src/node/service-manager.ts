// Tells systemd how the node stands (sd_notify). Node.js has no datagram sockets for local addresses, so systemd's own
// systemd-notify sends the messages; being another process, it needs `NotifyAccess=all` in the unit.
import { execFile } from "node:child_process";
import { errorText } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";

export interface ServiceManager {
  /** Somebody listens. */
  readonly present: boolean;
  ready(status: string): void;
  reloading(): void;
  stopping(status: string): void;
  status(status: string): void;
  /** Resolves when all that was said has been delivered, with whether the last of it was. True where nobody listens. */
  delivered(): Promise<boolean>;
  /** What a process that takes over needs to speak to the manager in its turn. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** From now on another process speaks for the node; what this one would say is not said. */
  handedOver(): void;
  /** The process that spoke for the node is gone, and this one does again. */
  back(status: string): void;
  /** Ends the watchdog's timer. Safe to call twice. */
  stop(): void;
}

const notifyMsMax = 5_000;

/** Takes NOTIFY_SOCKET and the watchdog's variables out of `env`, which workers inherit. Without a socket every call does nothing. */
export function connectServiceManager(
  env: Record<string, string | undefined>,
  options: { pid: number; logger: Logger },
): ServiceManager {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdogUsec, WATCHDOG_PID: watchdogPid } = env;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name];
  // One after another, so that STATUS= of before never overtakes STOPPING=1.
  let queue: Promise<boolean> = Promise.resolve(true);
  let warned = false;
  let silent = socket === undefined || socket === "";

  const send = (...assignments: readonly string[]) => {
    if (silent) return;
    queue = queue.then(
      () =>
        new Promise((resolve) => {
          const args = [`--pid=${options.pid}`, ...assignments];
          if (silent) return resolve(true);
          const childEnv = { ...env, NOTIFY_SOCKET: socket };
          execFile("systemd-notify", args, { env: childEnv, timeout: notifyMsMax }, (error) => {
            if (error && !warned) options.logger.warn({ error: errorText(error) }, "systemd could not be notified");
            warned ||= error !== null;
            resolve(error === null);
          });
        }),
    );
  };

  const watched = watchdogUsec !== undefined && (watchdogPid === undefined || Number(watchdogPid) === options.pid);
  // Twice per period, as systemd recommends.
  let timer: NodeJS.Timeout | undefined;
  const beat = () => {
    if (watched && socket) timer = setInterval(() => send("WATCHDOG=1"), Number(watchdogUsec) / 2_000).unref();
  };
  const ready = (status: string) => send("READY=1", `STATUS=${status}`, `MAINPID=${options.pid}`);
  beat();
  return {
    present: !silent,
    ready,
    // systemd tells this reload from an earlier one by the time.
    reloading: () => send("RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: (status) => send("STOPPING=1", `STATUS=${status}`),
    status: (status) => send(`STATUS=${status}`),
    delivered: () => queue,
    environment: watched ? { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdogUsec } : { NOTIFY_SOCKET: socket },
    handedOver() {
      silent = true;
    },
    back(status) {
      silent = false;
      beat();
      ready(status);
    },
    stop() {
      clearInterval(timer);
    },
  };
}

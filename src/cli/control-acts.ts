// What glance-control does with a server that is there already: stop it, have it read its configuration again, say how it is.
import { systemClock } from "../core/clock.ts";
import { foreign } from "./control-start.ts";
import { type ControlledServer, Refused } from "./controlled-server.ts";

type Say = (line: string) => void;

const pollMs = 50;
/** For as long `stop` waits; what the server has is finished all the same. */
export const stopMsMax = 15_000;

/** Told to end, it finishes what it has. `msMax`: for how long that is waited for. Throws Refused. */
export async function stop(server: ControlledServer, msMax: number, say: Say): Promise<void> {
  const found = server.find();
  if (found.state === "foreign") throw foreign(server, found.process.pid);
  if (found.state === "stopped") {
    if (server.clear()) say(`Removed the stale pid file ${server.pidFile}`);
    say(`${server.name} is stopped already`);
    return;
  }
  const { pid } = found.process;
  if (found.state === "running") server.stop(found.process);
  const what = found.state === "running" ? "Stopping" : "Still stopping";
  say(`${what} ${server.name} (pid ${pid}); what it has is finished first`);
  const deadlineMs = systemClock.monotonicMs() + msMax;
  // A foreign process has no event to wait for.
  while (server.lives(found.process)) {
    if (systemClock.monotonicMs() > deadlineMs) {
      say(
        `${server.name} (pid ${pid}) is still at it and ends by itself; shutdown waits for it, kill -TERM ${pid} cuts it`,
      );
      return;
    }
    await systemClock.sleep(pollMs);
  }
  server.clear();
  say(`${server.name} has stopped`);
}

/** Throws Refused. */
export function reload(server: ControlledServer, say: Say): void {
  const found = server.find();
  if (found.state === "foreign") throw foreign(server, found.process.pid);
  if (found.state !== "running") throw new Refused(`${server.name} is ${found.state}: there is nothing to reload`);
  server.signal(found.process, "SIGHUP");
  say(`Reloading ${server.name} (pid ${found.process.pid}); its log says whether the configuration was taken`);
}

export type ServerStatus = {
  readonly server: string;
  readonly state: "running" | "stopping" | "stopped";
  readonly pid: number | null;
  readonly pid_file: string;
};

export function statusOf(server: ControlledServer): ServerStatus {
  const found = server.find();
  const there = found.state === "running" || found.state === "stopping";
  return {
    server: server.name,
    state: there ? found.state : "stopped",
    pid: there ? found.process.pid : null,
    pid_file: server.pidFile,
  };
}

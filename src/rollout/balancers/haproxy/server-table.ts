// Reads what HAProxy tells: `show servers state` for what an operator set and what checks found, `show stat` for sessions, `show info`.
import type { RotationState, RotationView } from "../../snapshot.ts";

/** Bits of srv_admin_state, as HAProxy's management guide has them. Maintenance by configuration or DNS counts as maintenance. */
const maintenanceBits = 0x01 | 0x02 | 0x04 | 0x20 | 0x40;
const drainBits = 0x08 | 0x10;

export type ServerState = { readonly state: RotationState; readonly up: boolean };

/** Servers of `backend`, by name; null where the text is no such table. */
export function parseServersState(text: string, backend: string): ReadonlyMap<string, ServerState> | null {
  const lines = text.split("\n");
  const header = lines.find((line) => line.startsWith("# "));
  if (!header) return null;
  const columns = header.slice(2).trim().split(" ");
  const [beName, name, op, admin] = ["be_name", "srv_name", "srv_op_state", "srv_admin_state"].map((column) =>
    columns.indexOf(column),
  );
  const servers = new Map<string, ServerState>();
  for (const line of lines) {
    const fields = line.split(" ");
    const at = (index: number | undefined) => fields[index ?? -1] ?? "";
    if (line.startsWith("#") || at(beName) !== backend || at(name) === "") continue;
    const bits = Number(at(admin));
    const state = bits & maintenanceBits ? "maint" : bits & drainBits ? "drain" : "ready";
    servers.set(at(name), { state, up: Number(at(op)) !== 0 });
  }
  return servers;
}

/** Requests at each server of `backend` now, waiting ones included; null where the text is no such table. */
export function parseSessions(text: string, backend: string): ReadonlyMap<string, number> | null {
  const [header = "", ...lines] = text.split("\n");
  if (!header.startsWith("# ")) return null;
  const columns = header.slice(2).split(",");
  const [proxy, server, queued, current] = ["pxname", "svname", "qcur", "scur"].map((column) =>
    columns.indexOf(column),
  );
  const sessions = new Map<string, number>();
  for (const line of lines) {
    const fields = line.split(",");
    const at = (index: number | undefined) => fields[index ?? -1] ?? "";
    if (at(proxy) === backend) sessions.set(at(server), Number(at(queued)) + Number(at(current)));
  }
  return sessions;
}

/** Answers of class 5xx and broken ones from each server of `backend` since HAProxy began to count. */
export function parseFailures(text: string, backend: string): ReadonlyMap<string, number> {
  const [header = "", ...lines] = text.split("\n");
  const columns = header.slice(2).split(",");
  const [proxy, server, errors, broken] = ["pxname", "svname", "hrsp_5xx", "eresp"].map((name) =>
    columns.indexOf(name),
  );
  const failures = new Map<string, number>();
  for (const line of lines) {
    const fields = line.split(",");
    const at = (index: number | undefined) => fields[index ?? -1] ?? "";
    if (at(proxy) === backend) failures.set(at(server), Number(at(errors)) + Number(at(broken)));
  }
  return failures;
}

/** Of `show info`, right to a second; null where the text is none. */
export function parseUptimeMs(text: string): number | null {
  const seconds = /^Uptime_sec: (\d+)$/m.exec(text)?.[1];
  return seconds === undefined ? null : Number(seconds) * 1000;
}

export function joinViews(
  states: ReadonlyMap<string, ServerState>,
  sessions: ReadonlyMap<string, number>,
  failures: ReadonlyMap<string, number>,
): ReadonlyMap<string, RotationView> {
  return new Map(
    [...states].map(([name, state]) => {
      return [name, { ...state, sessions: sessions.get(name) ?? 0, failures: failures.get(name) ?? 0 }];
    }),
  );
}

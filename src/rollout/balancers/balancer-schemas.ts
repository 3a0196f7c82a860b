// What fleet.yaml may say of a balancer, one shape for each driver, and the same as the drivers get it. Checked by ../fleet.ts.
import { ServiceError } from "../../core/errors.ts";
import { address, seconds, text, words } from "../schema-parts.ts";

export type HaproxyAt = {
  readonly driver: "haproxy";
  /** Runtime APIs, each a UNIX socket's path or host:port. An act counts when all of them have done it. */
  readonly sockets: readonly string[];
  readonly backend: string;
  /** HAProxy's server-state-file on this machine, kept as the servers are, so that a reload finds them so. Null: somebody else keeps it. */
  readonly stateFile: string | null;
  /** For how long the process that a reload replaced may serve connections: HAProxy's close-spread-time. */
  readonly reloadMs: number;
};
export type BuiltinAt = {
  readonly driver: "builtin";
  readonly listen: string;
  /** UNIX socket of the balancer process. */
  readonly admin: string;
  readonly checkMs: number;
  readonly fall: number;
  readonly rise: number;
  readonly holdMsMax: number;
};
export type HealthAt = {
  readonly driver: "health";
  /** The file that takes a node's health check to 503, as its [healthcheck] disable_by_file_path names it; `{node}` stands for its name. */
  readonly disableFile: string;
  /** How long the slowest of the balancers takes to notice: its interval times the checks it wants to see. */
  readonly leaveMs: number;
  readonly returnMs: number;
};
export type CommandBalancerAt = {
  readonly driver: "command";
  readonly state: readonly string[];
  readonly drain: readonly string[];
  readonly maint: readonly string[];
  readonly ready: readonly string[];
  readonly msMax: number;
};
export type NginxAt = {
  readonly driver: "nginx";
  /** The file of `server` lines that nginx's `upstream` includes. */
  readonly serversFile: string;
  readonly pidFile: string;
  readonly test: readonly string[];
  readonly reload: readonly string[];
};
export type FleetBalancer = HaproxyAt | BuiltinAt | NginxAt | HealthAt | CommandBalancerAt;

export type BalancerText =
  | {
      driver: "haproxy";
      socket?: string;
      sockets?: string[];
      backend: string;
      state_file?: string;
      reload_seconds: number;
    }
  | {
      driver: "builtin";
      listen: string;
      admin: string;
      check_ms: number;
      fall: number;
      rise: number;
      hold_seconds: number;
    }
  | { driver: "nginx"; servers_file: string; pid_file: string; test: string[]; reload: string[] }
  | { driver: "health"; disable_file: string; check_seconds: number; fall: number; rise: number }
  | {
      driver: "command";
      state: string[];
      drain: string[];
      maint: string[];
      ready: string[];
      deadline_seconds: number;
    };

const checks = (fallback: number) => ({ type: "integer", minimum: 1, maximum: 20, default: fallback });

export const balancerSchemas = [
  {
    type: "object",
    additionalProperties: false,
    required: ["driver", "backend"],
    properties: {
      driver: { const: "haproxy" },
      socket: text,
      sockets: { type: "array", items: text, minItems: 1, uniqueItems: true },
      backend: text,
      state_file: text,
      reload_seconds: seconds(0, 10),
    },
  },
  {
    type: "object",
    additionalProperties: false,
    required: ["driver", "listen", "admin"],
    properties: {
      driver: { const: "builtin" },
      listen: address,
      admin: text,
      check_ms: { type: "integer", minimum: 50, maximum: 60_000, default: 300 },
      fall: checks(2),
      rise: checks(1),
      hold_seconds: { type: "number", minimum: 0, maximum: 60, default: 2 },
    },
  },
  {
    type: "object",
    additionalProperties: false,
    required: ["driver", "servers_file"],
    properties: {
      driver: { const: "nginx" },
      servers_file: text,
      pid_file: { ...text, default: "/run/nginx.pid" },
      test: { ...words, default: ["nginx", "-t", "-q"] },
      reload: { ...words, default: ["nginx", "-s", "reload"] },
    },
  },
  {
    type: "object",
    additionalProperties: false,
    required: ["driver", "disable_file", "check_seconds"],
    properties: {
      driver: { const: "health" },
      disable_file: {
        ...text,
        pattern: "\\{node\\}",
        description: "a path with {node} in it, for each node's own file",
      },
      check_seconds: { type: "number", minimum: 0.05, maximum: 300 },
      fall: checks(3),
      rise: checks(2),
    },
  },
  {
    type: "object",
    additionalProperties: false,
    required: ["driver", "state", "drain", "maint", "ready"],
    properties: {
      driver: { const: "command" },
      state: words,
      drain: words,
      maint: words,
      ready: words,
      deadline_seconds: seconds(1, 20),
    },
  },
] as const;

/** `at` makes a path absolute. Throws rollout.fleet_invalid without the file's name, which the caller knows. */
export function readBalancer(balancer: BalancerText, at: (path: string) => string): FleetBalancer {
  switch (balancer.driver) {
    case "haproxy":
      return readHaproxy(balancer, at);
    case "builtin": {
      const { driver, listen, admin, check_ms, fall, rise, hold_seconds } = balancer;
      return { driver, listen, admin: at(admin), checkMs: check_ms, fall, rise, holdMsMax: hold_seconds * 1000 };
    }
    case "nginx": {
      const { driver, servers_file, pid_file, test, reload } = balancer;
      return { driver, serversFile: at(servers_file), pidFile: at(pid_file), test, reload };
    }
    case "health": {
      const { driver, disable_file, check_seconds, fall, rise } = balancer;
      const ms = (count: number) => check_seconds * count * 1000;
      return { driver, disableFile: at(disable_file), leaveMs: ms(fall + 1), returnMs: ms(rise + 1) };
    }
    case "command": {
      const { driver, state, drain, maint, ready, deadline_seconds } = balancer;
      return { driver, state, drain, maint, ready, msMax: deadline_seconds * 1000 };
    }
  }
}

function readHaproxy(balancer: BalancerText & { driver: "haproxy" }, at: (path: string) => string): HaproxyAt {
  const { driver, socket, sockets, backend, state_file, reload_seconds } = balancer;
  if ((socket === undefined) === (sockets === undefined))
    throw new ServiceError("rollout.fleet_invalid", "balancer needs exactly one of: socket, sockets");
  const all = sockets ?? [socket ?? ""];
  if (state_file !== undefined && all.length > 1) {
    const message =
      "balancer.state_file is one HAProxy's own; with several, each keeps its file (see deploy/haproxy.cfg)";
    throw new ServiceError("rollout.fleet_invalid", message);
  }
  return {
    driver,
    sockets: all.map((one) => (isAddress(one) ? one : at(one))),
    backend,
    stateFile: state_file === undefined ? null : at(state_file),
    reloadMs: reload_seconds * 1000,
  };
}

/** HAProxy's Runtime API listens on a UNIX socket, or on host:port. */
export function isAddress(socket: string): boolean {
  return !socket.includes("/") && /:\d+$/.test(socket);
}

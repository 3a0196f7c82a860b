// What the embedded balancer is told at its start. It has no file of its own: the fleet file says it all.
import type { Fleet } from "../../fleet.ts";

export type BalancerSettings = {
  /** host:port */
  readonly listen: string;
  /** UNIX socket for the rollout; the states set through it are kept in a file beside it. */
  readonly admin: string;
  readonly servers: readonly { readonly name: string; readonly address: string }[];
  readonly checkMs: number;
  /** Failed checks in a row until a server is down, and passed ones until it is up. */
  readonly fall: number;
  readonly rise: number;
  /** How long a request is held while no server can take it. */
  readonly holdMsMax: number;
  /** A client or server that is silent this long is parted from. */
  readonly idleMsMax: number;
};

/** undefined where the fleet has another balancer. */
export function balancerSettings(fleet: Fleet): BalancerSettings | undefined {
  const { balancer } = fleet;
  if (balancer.driver !== "builtin") return undefined;
  const { driver: _, ...rest } = balancer;
  return { ...rest, servers: fleet.nodes.map(({ name, address }) => ({ name, address })), idleMsMax: 900_000 };
}

export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}

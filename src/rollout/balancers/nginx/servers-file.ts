// The file of nginx's `server` lines, each with a node's name as its comment: `server 10.0.0.1:9292 weight=2 down; # n1 drain`. A server that
// is out is `down`; whether it drains or is in maintenance is for us alone, and stands behind its name. Other lines are left alone.
import type { RotationState } from "../../snapshot.ts";

export type NginxServer = { readonly address: string; readonly state: RotationState };

const line = /^(\s*server\s+)([^\s;#]+)((?:\s+[^\s;#]+)*)\s*;\s*#\s*([A-Za-z0-9._-]+)(?:[ \t]+(drain|maint))?[ \t]*$/;

export function parseServers(text: string): ReadonlyMap<string, NginxServer> {
  const servers = new Map<string, NginxServer>();
  for (const one of text.split("\n")) {
    const [, , address = "", parameters = "", name = "", noted] = line.exec(one) ?? [];
    if (name === "") continue;
    const down = parameters.split(/\s+/).includes("down");
    servers.set(name, { address, state: !down ? "ready" : noted === "drain" ? "drain" : "maint" });
  }
  return servers;
}

/** The text with one server's state set. */
export function withState(text: string, server: string, state: RotationState): string {
  return text
    .split("\n")
    .map((one) => {
      const [, start = "", address = "", parameters = "", name] = line.exec(one) ?? [];
      if (name !== server) return one;
      const kept = parameters.split(/\s+/).filter((word) => word !== "" && word !== "down");
      const words = [address, ...kept, ...(state === "ready" ? [] : ["down"])].join(" ");
      return `${start}${words}; # ${name}${state === "ready" ? "" : ` ${state}`}`;
    })
    .join("\n");
}

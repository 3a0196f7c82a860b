// How a node is called and where others reach it, from where it listens.
import { hostname } from "node:os";

/** `host:port`; a node that listens everywhere goes by its host name. */
export function nodeAddress(listening: { readonly host: string; readonly port: number }): string {
  const { host, port } = listening;
  if (host === "0.0.0.0" || host === "::" || host === "") return `${hostname()}:${port}`;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `[perennial] node_name`, or host name and port. */
export function nodeName(configured: string | null, port: number): string {
  return configured ?? `${hostname()}:${port}`;
}

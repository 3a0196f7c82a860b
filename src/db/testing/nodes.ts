// A node's row in the registry, for tests of who looks there.
import type { NodeRow } from "../repositories/node-repository.ts";

/** A Newton node that serves, unless `changes` say otherwise. */
export const nodeRow = (name: string, changes: Partial<NodeRow> = {}): NodeRow => ({
  name,
  address: "10.0.0.1:9292",
  release: "newton",
  packageVersion: "0.1.0",
  pid: 1,
  state: "serving",
  transfers: { uploads: 0, downloads: 0, bytesLeft: null, etaSeconds: null },
  p99Ms: null,
  ...changes,
});

// Fleets as the decision core sees them, for its tests: nodes in each state of their way, and the step that is expected.
import assert from "node:assert/strict";
import { decide, type Plan } from "../decide.ts";
import type { Decision } from "../decision.ts";
import type { NodeView, RotationView, Snapshot } from "../snapshot.ts";

export const plan: Plan = {
  way: "forward",
  target: "ocata",
  servingMin: 2,
  drain: { msMax: 10_000, policy: "wait" },
  settleMsMax: 1_000,
  startMsMax: 5_000,
  batches: [1],
  healthMsMax: 5_000,
  minHealthyMs: 0,
  soakMs: 0,
  canary: null,
  startsMax: 2,
  failuresMax: 3,
  strangersMsMax: 20_000,
  until: null,
};
export type Change = Partial<Omit<NodeView, "rotation">> & { rotation?: Partial<RotationView> };
export function node(name: string, change: Change = {}): NodeView {
  const { rotation, ...rest } = change;
  return {
    name,
    configRelease: "newton",
    process: "running",
    release: "newton",
    healthy: true,
    processMs: 60_000,
    transfers: { count: 0, bytesLeft: null, etaSeconds: null },
    heartbeatAgeSeconds: null,
    starts: 0,
    lastWords: null,
    gate: "untested",
    ...rest,
    rotation: { state: "ready", up: true, sessions: 0, ...rotation },
  };
}
export const done = (name: string) => node(name, { configRelease: "ocata", release: "ocata" });
export const gone: Change = { process: "gone", release: null, healthy: false, transfers: null };
export const installed: Change = { ...gone, configRelease: "ocata", rotation: { state: "maint", up: false } };
export const fresh: Change = {
  configRelease: "ocata",
  release: "ocata",
  starts: 1,
  processMs: 500,
  rotation: { state: "maint", up: false },
};
export function look(nodes: NodeView[], change: Partial<Snapshot> = {}): Snapshot {
  return {
    nodes,
    due: "expand",
    backup: "verified",
    strangers: [],
    request: null,
    soakedMs: 0,
    canary: null,
    memory: { servingMs: {}, judgedNodes: 0, waits: {}, failed: null },
    ...change,
  };
}
export function expectStep(seen: Snapshot, step: string, change: Partial<Plan> = {}): Decision {
  const decision = decide({ ...plan, ...change }, seen);
  assert.equal("node" in decision ? `${decision.do} ${decision.node}` : decision.do, step, decision.why);
  return decision;
}
export const two = [node("n2"), node("n3")];

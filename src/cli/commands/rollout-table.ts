// The nodes of a fleet as a table for people: what each serves, whether clients get to it, and what it still has under way.
import type { NodeView } from "../../rollout/snapshot.ts";
import { textTable } from "../text-table.ts";

const header = ["NODE", "RELEASE", "STATE", "ROTATION", "REQUESTS", "TRANSFERS", "LEFT", "ETA", "HEARTBEAT"] as const;

export function nodeTable(nodes: readonly NodeView[]): readonly string[] {
  return textTable([header, ...nodes.map(row)]);
}

function row(node: NodeView): readonly string[] {
  const { rotation, transfers } = node;
  const software = node.software === "glance" ? " (Glance)" : node.glance === undefined ? "" : " (and a Glance)";
  const release = `${node.release ?? `(${node.configRelease})`}${software}`;
  const state = node.process === "running" ? (node.healthy ? "serving" : "not healthy") : node.process;
  const inRotation = rotation.state === "ready" ? (rotation.up ? "in" : "in, down") : rotation.state;
  return [
    node.name,
    release,
    state,
    inRotation,
    String(rotation.sessions),
    transfers ? String(transfers.count) : "-",
    transfers?.bytesLeft ? bytesText(transfers.bytesLeft) : "-",
    transfers?.etaSeconds ? durationText(transfers.etaSeconds) : "-",
    node.heartbeatAgeSeconds === null ? "-" : `${Math.round(node.heartbeatAgeSeconds)} s ago`,
  ];
}

function bytesText(bytes: number): string {
  if (bytes >= 1_000_000_000) return `${(bytes / 1_000_000_000).toFixed(1)} GB`;
  return bytes >= 1_000_000 ? `${(bytes / 1_000_000).toFixed(1)} MB` : `${Math.ceil(bytes / 1_000)} kB`;
}

function durationText(seconds: number): string {
  if (seconds >= 3_600) return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
  return seconds >= 60 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s` : `${seconds} s`;
}

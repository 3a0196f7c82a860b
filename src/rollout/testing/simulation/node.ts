// One simulated node: its process, what the balancer was told of it, and what it does by itself as time passes.
import type { ReleaseId } from "../../../releases/catalogue.ts";
import type { NodeView, RotationState } from "../../snapshot.ts";
import type { BadStart } from "./fault.ts";

export type NodeProcess = {
  readonly id: number;
  readonly release: ReleaseId;
  readonly sinceMs: number;
  readonly readyAtMs: number;
  /** Its health check passes, and nothing else does. */
  readonly lies: boolean;
  endsAtMs: number;
  stoppingSinceMs: number | null;
  transfersUntilMs: number;
  hungUntilMs: number;
};

/** A balancer's health checks take this long to see a node well. */
const upAfterMs = 300;

export class SimulatedNode {
  readonly index: number;
  readonly name: string;
  readonly handsOver: boolean;
  configRelease: ReleaseId;
  process: NodeProcess | null = null;
  goneSinceMs = 0;
  state: RotationState = "ready";
  doubtedUntilMs = 0;
  silentFromMs = Number.POSITIVE_INFINITY;
  silentUntilMs = 0;
  lastWords: string | null = null;
  readonly badStarts: BadStart[] = [];
  /** Of the next stop. */
  longTransferMs = 0;

  constructor(index: number, release: ReleaseId, handsOver: boolean) {
    this.index = index;
    this.name = `n${index + 1}`;
    this.configRelease = release;
    this.handsOver = handsOver;
  }

  /** What has happened to its process by now. */
  settle(nowMs: number): void {
    if (this.process && this.process.endsAtMs <= nowMs) this.end(this.process.endsAtMs, "it exited");
  }

  end(atMs: number, lastWords: string): void {
    this.process = null;
    this.goneSinceMs = atMs;
    this.lastWords = lastWords;
  }

  isHealthy(nowMs: number): boolean {
    const { process } = this;
    return (
      process !== null && process.stoppingSinceMs === null && nowMs >= process.readyAtMs && nowMs >= process.hungUntilMs
    );
  }

  isUp(nowMs: number): boolean {
    const { process } = this;
    return (
      process !== null &&
      this.isHealthy(nowMs) &&
      nowMs >= this.doubtedUntilMs &&
      nowMs >= process.readyAtMs + upAfterMs
    );
  }

  serves(nowMs: number): boolean {
    return this.state === "ready" && this.isUp(nowMs);
  }

  /** `run`: what the run that looks knows of it. */
  view(nowMs: number, run: { readonly starts: number; readonly proven: boolean }): NodeView {
    const { process } = this;
    const isStopping = process !== null && process.stoppingSinceMs !== null;
    const transferring = process !== null && process.transfersUntilMs > nowMs ? 1 : 0;
    const leftMs = transferring === 1 && process ? process.transfersUntilMs - nowMs : 0;
    const silent = nowMs >= this.silentFromMs && nowMs < this.silentUntilMs;
    return {
      name: this.name,
      configRelease: this.configRelease,
      process: process === null ? "gone" : isStopping ? "stopping" : "running",
      release: process?.release ?? null,
      healthy: this.isHealthy(nowMs),
      processMs: nowMs - (process ? (process.stoppingSinceMs ?? process.sinceMs) : this.goneSinceMs),
      rotation: { state: this.state, up: this.isUp(nowMs), sessions: transferring },
      transfers: process && {
        count: transferring,
        bytesLeft: leftMs * 1_000,
        etaSeconds: Math.ceil(leftMs / 1_000),
      },
      heartbeatAgeSeconds: process && (silent ? Math.round((nowMs - this.silentFromMs) / 1_000) : 1),
      starts: run.starts,
      lastWords: this.lastWords,
      handsOver: this.handsOver,
      gate: run.proven ? "passed" : "untested",
    };
  }
}

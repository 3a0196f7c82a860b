// Feels what others feel while the schema engine works: single-row updates, reads and inserts from another process, one after the
// other on a connection each, and the longest each had to wait.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export type ProbeResult = Readonly<
  Record<
    "update" | "select" | "insert",
    {
      readonly count: number;
      readonly maxMs: number;
      readonly p99Ms: number;
      readonly errors: readonly string[];
      /** Those that waited for `slowMs` and more, and how long after the probe's start each began. */
      readonly slow: readonly { readonly atMs: number; readonly ms: number }[];
    }
  >
>;

export const slowMs = 100;
export const slowKept = 100;

export type Probe = { stop(): Promise<ProbeResult> };

export type ProbeOptions = {
  readonly connection: string;
  /** Rows that exist; updates and reads pick among them. */
  readonly ids: readonly string[];
  /** Whose columns inserts name. */
  readonly writesAs: "newton" | "ocata";
};

export async function startProbe(options: ProbeOptions): Promise<Probe> {
  const child = fork(fileURLToPath(new URL("stall-probe-process.ts", import.meta.url)));
  child.send(options);
  await once(child, "message");
  return {
    async stop() {
      const result = once(child, "message");
      child.send("stop");
      const [[figures]] = await Promise.all([result, once(child, "exit")]);
      return figures as ProbeResult;
    },
  };
}

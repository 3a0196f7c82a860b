// The small signs of the page. Each has a shape of its own, so that none is told apart by colour alone; all of them stand beside words.
import type { JSX } from "preact";
import type { NodeState } from "../../../src/console/model.ts";

const shapes: Readonly<Record<string, JSX.Element>> = {
  done: <path d="m3.5 8.5 3 3 6-7" />,
  current: <path d="M5 3.5v9l7-4.5z" class="full" />,
  resting: <path d="M5.5 4v8m5-8v8" />,
  ahead: <circle cx="8" cy="8" r="4.5" />,
  old: <circle cx="8" cy="8" r="4.7" />,
  new: <circle cx="8" cy="8" r="5.5" class="full" />,
  unknown: <path d="M5.5 6.2c0-3.2 5-3 5 0 0 2-2.5 1.9-2.5 3.8m0 2.6v.1" />,
  serving: <path d="m3.5 8.5 3 3 6-7" />,
  draining: <path d="M8 3v9m-4-4 4 4 4-4" />,
  stopping: <path d="M8 3v9m-4-4 4 4 4-4" />,
  out: <path d="M4 8h8" />,
  starting: <path d="M8 13V4M4 8l4-4 4 4" />,
  unwell: <path d="M8 3.5v5.5m0 3v.2" />,
  passed: <path d="m3.5 8.5 3 3 6-7" />,
  failed: <path d="m4 4 8 8m0-8-8 8" />,
  warning: <path d="M8 3.5v5.5m0 3v.2" />,
};

export function Sign({ name }: { name: string }) {
  return (
    <svg class={`sign sign-${name}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      {shapes[name] ?? shapes.unknown}
    </svg>
  );
}

export const stateWords: Readonly<Record<NodeState, string>> = {
  serving: "serving",
  draining: "draining",
  stopping: "finishing",
  out: "out",
  starting: "starting",
  unwell: "unwell",
  unknown: "unknown",
};

/** Old and new are told apart by shape, weight and word. */
export function ReleaseMark({ release, moved }: { release: string | null; moved: boolean | null }) {
  const kind = moved === null ? "unknown" : moved ? "new" : "old";
  return (
    <span class={`release release-${kind}`}>
      <Sign name={kind} />
      <span>{release ?? "unknown"}</span>
      <span class="hidden">{kind === "unknown" ? "" : `, the ${kind} release`}</span>
    </span>
  );
}

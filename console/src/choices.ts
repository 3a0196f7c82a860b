// What can be ordered now, and what each order says before it is given.
import type { ConsoleAct, MigrateLimit } from "../../src/console/acts.ts";
import type { LiveState } from "../../src/console/live-state.ts";

export type Choice = {
  readonly label: string;
  readonly says: string;
  /** Cannot be taken back with another order. */
  readonly grave: boolean;
  readonly possible: boolean;
  readonly fields: readonly { readonly name: MigrateLimit; readonly label: string; readonly hint: string }[];
  /** undefined: nothing was filled in. */
  readonly read: (text: (field: string) => string) => ConsoleAct | undefined;
};

const limitFields: Choice["fields"] = [
  { name: "batchRowsMax", label: "Rows of a batch, at most", hint: "5000" },
  { name: "targetMs", label: "Milliseconds that a batch should take", hint: "50" },
  { name: "threadsRunningMax", label: "Hold back above so many statements at once", hint: "24" },
  { name: "p99MsMax", label: "Hold back above this p99 of a node, in ms", hint: "no limit" },
];

export function choicesOf({ head }: LiveState): readonly Choice[] {
  const isRunning = head.holder !== null;
  const isOpen = head.rollout !== null && !["finished", "aborted", "rolled back"].includes(head.state);
  const isPaused = head.request?.do === "pause";
  const mayBegin = head.rollout === null || isOpen;
  return [
    isPaused || (isOpen && !isRunning)
      ? plain("Resume", "resume", resumeSays(isPaused, isRunning), isPaused || isOpen)
      : plain(
          "Pause",
          "pause",
          isRunning
            ? "The rollout waits before its next step, until it is resumed. What is under way goes on."
            : "No run is under way: the next one waits before its first step, until it is resumed.",
          mayBegin,
        ),
    plain(
      "Contract",
      "contract",
      "Takes out of the schema what only older releases use. There is no way back from it but the backup.",
      head.contractPending && !isRunning,
      true,
    ),
    migrationPause(head.migrate?.paused === true, head.due === "migrate"),
    {
      label: "Migration limits",
      says: "Changes the limits of the data migration that runs; they end with it. What is left empty stays as it is.",
      grave: false,
      possible: head.due === "migrate",
      fields: limitFields,
      read: readLimits,
    },
    plain(
      "Roll back",
      "rollback",
      "Ends this rollout where it stands, takes the nodes back to the release they came from, one after the other, and then the schema.",
      isOpen && head.due !== "nothing",
      true,
    ),
    plain(
      "Abort",
      "abort",
      "Ends the rollout before its next step. Everything stays as it stands; the next run begins a new rollout.",
      isOpen,
      true,
    ),
  ];
}

function plain(
  label: string,
  act: Exclude<ConsoleAct["act"], "migrate-limits">,
  says: string,
  possible: boolean,
  grave = false,
): Choice {
  return { label, says, grave, possible, fields: [], read: () => ({ act }) };
}

function resumeSays(isPaused: boolean, isRunning: boolean): string {
  if (isRunning) return "The pause ends, and the run goes on with its next step.";
  const starts = "a run is started on this console's host, which goes on with the rollout";
  return isPaused ? `The pause ends, and ${starts}.` : `No run is under way: ${starts}.`;
}

function migrationPause(isPaused: boolean, possible: boolean): Choice {
  return isPaused
    ? plain("Resume migration", "migrate-resume", "The data migration goes on with its next batch.", true)
    : plain(
        "Pause migration",
        "migrate-pause",
        "The data migration waits before its next batch, until it is resumed.",
        possible,
      );
}

function readLimits(text: (field: string) => string): ConsoleAct | undefined {
  const limits = limitFields.flatMap(({ name }) => (text(name) === "" ? [] : [[name, Number(text(name))] as const]));
  return limits.length === 0 ? undefined : { act: "migrate-limits", limits: Object.fromEntries(limits) };
}

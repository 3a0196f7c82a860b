// What a rollout does, waits for and will do next, in words for people.

import { textOf } from "./journal-line.ts";
import type { JournalLine, NowView } from "./model.ts";

const doing: Readonly<Record<string, (node: string) => string>> = {
  "back-up": () => "Backs the database up and reads the backup back",
  expand: () => "Expands the schema: adds what the new release needs, and takes nothing away",
  migrate: () => "Migrates the data to the form the new release reads",
  contract: () => "Contracts the schema: removes what only older releases used",
  revert: () => "Takes out of the schema what only the newer release used",
  drain: (node) => `Takes ${node} out of rotation: no new requests for it`,
  stop: (node) => `Tells ${node} to finish what it has and exit`,
  cut: (node) => `Ends ${node} at once, as the drain policy says`,
  disable: (node) => `Takes ${node} out of the balancer's health checks`,
  install: (node) => `Installs the new release on ${node}`,
  "hand-over": (node) => `Lets a new process take over ${node} while it serves`,
  start: (node) => `Starts ${node}`,
  probe: (node) => `Creates, fills, reads back and deletes an image through ${node} alone`,
  enable: (node) => `Returns ${node} to rotation`,
};

const after: Readonly<Record<string, (node: string) => string>> = {
  "back-up": () => "The first node is drained, or the schema is expanded",
  expand: () => "The data is migrated",
  migrate: () => "The node that is out is started, or the next one is drained",
  contract: () => "The rollout is finished",
  revert: () => "The rollout is finished, and everything is as it was before",
  drain: (node) => `${node} finishes its requests and is told to exit`,
  stop: (node) => `${node} is disabled at the balancer when its process has ended`,
  cut: (node) => `${node} is disabled at the balancer`,
  disable: (node) => `The new release is installed on ${node}`,
  install: (node) => `The schema is made ready where it is not yet, and ${node} is started`,
  "hand-over": (node) => `${node} is probed`,
  start: (node) => `${node} is probed when its health check passes`,
  probe: (node) => `${node} returns to rotation`,
  enable: (node) => `The next node is drained when ${node} serves well, or what is left is the database`,
};

/** After what is waited for, by the first word of the wait's key. */
const afterWait: Readonly<Record<string, (node: string) => string>> = {
  settle: (node) => `${node} is told to finish and exit`,
  stop: (node) => `The new release is installed on ${node} when its process has ended`,
  start: (node) => `${node} is probed when its health check passes`,
  up: (node) => `The next node is drained when the balancer finds ${node} well`,
  capacity: (node) => `${node} is drained when enough others serve`,
  canary: () => "The next batch of nodes is moved when the new nodes do as well as the old ones",
  soak: () => "The schema is contracted",
  strangers: () => "The schema is changed when no node that it would break is alive",
  leaving: () => "The schema is changed when the old processes have finished what they write",
  request: () => "It goes on after glance-rollout resume",
};

/** `last`: the newest decision; `latest`: the newest observation of the same wait; `result`: how the decision's step ended, if it has. */
export function nowOf(last: JournalLine | null, latest: JournalLine | null, result: JournalLine | null): NowView {
  if (!last) return { doing: "Nothing has begun yet", why: null, sinceMs: null, waits: false, next: null };
  const step = textOf(last.data.do) ?? "";
  const node = last.node ?? "the node";
  const sinceMs = last.atMs;
  const why = reasonOf(last.text);
  if (step === "wait") {
    const key = (textOf(last.data.key) ?? "").split(" ")[0] ?? "";
    const next = sentence(afterWait[key]?.(node));
    return { doing: `Waits: ${latest?.text ?? why}`, why: null, sinceMs, waits: true, next };
  }
  const still = standing(step, why, sinceMs);
  if (still) return still;
  if (result?.data.ok === false) {
    const next = "It is tried again, three times in all; then the rollout pauses.";
    return {
      doing: `Failed: ${result.text}`,
      why: `${step} ${last.node ?? ""}`.trim(),
      sinceMs: result.atMs,
      waits: false,
      next,
    };
  }
  const next = sentence(after[step]?.(node));
  if (result) return { doing: `Done: ${result.text}`, why: null, sinceMs: result.atMs, waits: false, next };
  return { doing: doing[step]?.(node) ?? last.text, why, sinceMs, waits: false, next };
}

/** Decisions after which nothing is done for now. */
function standing(step: string, why: string, sinceMs: number): NowView | null {
  const view = (text: string, next: string | null, waits: boolean): NowView => ({
    doing: text,
    why,
    sinceMs,
    waits,
    next,
  });
  switch (step) {
    case "finish":
      return view("Finished", null, false);
    case "abort":
      return view("Given up; everything stays as it stands", null, false);
    case "pause":
      return view(
        "Paused: it waits for a person",
        "It goes on when what it names is put right and it is run again.",
        true,
      );
    case "reach":
      return view("Came as far as it was asked to", "The next run goes on from here.", true);
    case "retreat":
      return view(
        "The new nodes do worse than the old ones",
        "The nodes go back, the last one first, and then the schema.",
        false,
      );
    case "judge":
      return view("The new nodes do as well as the old ones", "The next batch of nodes is moved.", false);
    default:
      return null;
  }
}

/** `drain n1: it serves newton`: what comes after the step's name. */
function reasonOf(text: string): string {
  const at = text.indexOf(": ");
  return at > 0 && at < 40 ? text.slice(at + 2) : text;
}

/** Phrases begin as sentences do, those with a node's name with that name as it is. */
function sentence(text: string | undefined): string | null {
  return text === undefined ? null : `${text}.`;
}

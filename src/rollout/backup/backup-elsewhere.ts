// Whether a rollout's backup lies where this process cannot see it, as the journal tells.
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import type { JournalEvent } from "../journal-event.ts";

/** When a backup of this rollout was proven on another host or in another folder; one of this host must be there. */
export function backupElsewhere(events: readonly JournalEvent[]): string | undefined {
  const backup = events.findLast((event) => event.data?.do === "back-up" && event.data.ok === true)?.data?.backup;
  if (typeof backup !== "object" || backup === null) return undefined;
  const { host, path, finishedAt } = backup as Readonly<Record<string, unknown>>;
  if (host === hostname() && !existsSync(String(path))) return undefined;
  return String(finishedAt);
}

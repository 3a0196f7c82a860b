// Whoever is in the way of a schema change, in the words that operators find in their own server's lists.

export type Blocker = {
  /** MySQL numbers threads, PostgreSQL processes; a prepared transaction has neither, and stays until it is ended by its name. */
  readonly kind: "thread" | "process" | "prepared transaction";
  readonly id: number | string;
  readonly user: string;
  readonly host: string;
  /** How long its transaction (or else its statement) has been running. */
  readonly seconds: number;
  /** `idle in its transaction`, `running: SELECT ...`. */
  readonly doing: string;
};

const statementCharsMax = 100;

export const idleInTransaction = "idle in its transaction";

export function running(statement: string): string {
  return `running: ${statement.replace(/\s+/g, " ").trim().slice(0, statementCharsMax)}`;
}

export function describeBlocker({ kind, id, user, host, seconds, doing }: Blocker): string {
  return `${kind} ${id} (${user}@${host}, open for ${Math.floor(seconds)} s, ${doing})`;
}

/** `nobody`: said where no one is seen. */
export function whoBlocks(blockers: readonly Blocker[], nobody: string): string {
  return blockers.length === 0 ? nobody : `in the way: ${blockers.slice(0, 3).map(describeBlocker).join("; ")}`;
}

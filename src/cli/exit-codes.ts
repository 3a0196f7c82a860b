// Exit codes of all commands, in one place; docs/exit-codes.md lists them for operators.
// glance-status ends with 0, 1 and 2 for success, warnings and failure, as the reference's does.
// glance-manage's own 3, 4, 5 are those of `db check` in the reference implementation, whose other failures are all 1.

export const exitCodes = {
  ok: 0,
  /** The command failed, or refused to act; the line on stderr says why. */
  failed: 1,
  /** Unknown command, option or argument. */
  usage: 2,
  expandDue: 3,
  migrateDue: 4,
  contractDue: 5,
  /** Another engine run or rollout holds the lock. */
  locked: 6,
  /** glance-rollout stopped where it stands and waits for a person. */
  paused: 7,
  /** glance-rollout run: the fleet is not as it was when the plan was stored. */
  planOutdated: 8,
  /** glance-rollout run: given up by glance-rollout abort. */
  aborted: 9,
  /** glance-rollout run: the new nodes did worse than the old ones, and the fleet was taken back. */
  rolledBack: 10,
  /** glance-api: the database is not ready for this release, or is past it. */
  startRefused: 64,
  /** The database cannot be reached, refuses the credentials or privileges, or its disk is full. */
  databaseUnavailable: 69,
  /** The port or socket is taken, or may not be bound. */
  cannotListen: 71,
  /** A configuration or fleet file is missing or wrong. */
  badConfig: 78,
  /** glance-status: a check itself broke. */
  unexpected: 255,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

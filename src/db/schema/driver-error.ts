// Finds the server's own error number under the ServiceErrors that drivers wrap it in: schema changes have failures of their own
// (an algorithm the server cannot use, a statement our guard interrupted) that no other room needs to tell apart.

/** The first number named `errno` along the chain of causes; drivers' own errors carry it. */
export function errnoOf(error: unknown): number | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const { errno } = at as { errno?: unknown };
    if (typeof errno === "number") return errno;
  }
  return undefined;
}

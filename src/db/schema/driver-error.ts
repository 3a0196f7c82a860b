// Finds the server's own error number or state under the ServiceErrors that drivers wrap it in: schema changes have failures of their own
// (an algorithm the server cannot use, a statement our guard interrupted) that no other room needs to tell apart.
import { ServiceError } from "../../core/errors.ts";

/** The first number named `errno` along the chain of causes; drivers' own errors carry it. */
export function errnoOf(error: unknown): number | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const { errno } = at as { errno?: unknown };
    if (typeof errno === "number") return errno;
  }
  return undefined;
}

/** The SQLSTATE that a driver noted among the facts of its error. */
export function sqlStateOf(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++)
    if (at instanceof ServiceError && typeof at.facts.sqlState === "string") return at.facts.sqlState;
  return undefined;
}

// Programs that work on data for a node, and must not outlive it.
import { existsSync } from "node:fs";

/** Starts a program that the system ends when its starter dies, even by a signal nobody can catch. Every Linux has it; elsewhere it is missed. */
const leash = "/usr/bin/setpriv";
/** What the leash exits with where it cannot start the program: it is not installed. */
export const missingCode = 127;

export type ProgramCall = { readonly command: string; readonly args: readonly string[] };

/** The same program, on a leash where there is one. */
export function leashed(program: string, args: readonly string[]): ProgramCall {
  if (!existsSync(leash)) return { command: program, args };
  return { command: leash, args: ["--pdeathsig", "KILL", program, ...args] };
}

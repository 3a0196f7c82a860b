// Asks the person at the terminal a question that is answered by yes or no; without a terminal there is nobody to ask.
import { createInterface } from "node:readline/promises";

export function hasTerminal(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** On stderr, so that stdout keeps to results. Everything but y and yes is no. Rejects with the signal's reason when it aborts. */
export async function askYesNo(question: string, signal: AbortSignal): Promise<boolean> {
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await asking.question(`${question} [y/N] `, { signal })).trim());
  } finally {
    asking.close();
  }
}

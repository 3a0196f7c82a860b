// The end of a command that something else would keep from ending.

/**
 * Ends the process once everything it wrote has been taken: a pipe that is full takes the rest later, and it would be lost with us.
 * Without a code it ends with `process.exitCode`.
 */
export async function endProcess(code?: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) await new Promise((taken) => stream.write("", taken));
  // Even an undefined argument would take the place of the code that was set.
  if (code !== undefined) process.exitCode = code;
  process.exit();
}

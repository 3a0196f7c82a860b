// Lines in a terminal that are rewritten in place. The library is loaded only where there is a terminal: measuring text takes it a
// tenth of a second to prepare, and most commands are run by programs.
const library = process.stdout.isTTY || process.stderr.isTTY ? await import("log-update") : undefined;

export type LiveLine = { (text: string): void; clear(): void; done(): void };

/** Undefined where neither stream is a terminal. */
export function createLiveLine(
  stream: NodeJS.WriteStream,
  options: { showCursor?: boolean } = {},
): LiveLine | undefined {
  return library?.createLogUpdate(stream, options);
}

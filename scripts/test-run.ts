// Runs test files, and knows afterwards what failed: of a long run's output often no more than the end is kept.
import { relative, resolve } from "node:path";
import { finished } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { inspect } from "node:util";

/** How many of the slowest files are named, to see what makes a run long. */
const slowestTold = 12;
/** Of what a file that died wrote. */
const stderrCharactersMax = 4_000;
/** Of one failure, when all are told together. */
const failureCharactersMax = 2_000;
/** What a test may say when it skips itself without failing the run. */
const honestSkip = /^this machine /;

/**
 * Runs `files`, `concurrency` at a time, prints node's own report and which files took longest, and gives what failed, each as some lines to print:
 * none where all is well. A file that hangs is ended after `fileMinutesMax`, and has failed; so has a test that was skipped, unless it says that this
 * machine cannot run it.
 */
export async function runTests(
  files: readonly string[],
  { concurrency, fileMinutesMax, signal }: { concurrency: number; fileMinutesMax: number; signal: AbortSignal },
): Promise<readonly string[]> {
  const failures: string[] = [];
  const seconds = new Map<string, number>();
  // A file that died has no summary, but has failed as a whole.
  const note = (file: string, ms: number) =>
    seconds.set(relative("", file), Math.max(ms / 1_000, seconds.get(relative("", file)) ?? 0));
  const died = new Map<string, string>();
  const wrote = new Map<string, string>();
  const events = run({ files: [...files], concurrency, timeout: fileMinutesMax * 60_000, signal });
  events.on("test:fail", ({ name, file, todo, details }) => {
    if (file) note(file, details.duration_ms);
    // All that was not through yet.
    if (signal.aborted) return;
    const end = endOfProcess(details.error);
    if (end && file) died.set(file, end);
    // A test marked as todo may fail; one that failed by its parts is told by them.
    if ((todo === undefined || todo === false) && failureType(details.error) !== "subtestsFailed" && !(end && file))
      failures.push(
        `${name}${placeOf(file)}\n${inspect(details.error.cause ?? details.error).slice(0, failureCharactersMax)}`,
      );
  });
  const keep = ({ file, message }: { file?: string | undefined; message: string }) => {
    if (file === undefined) return;
    // As it was given to `run`, while a failure names the whole path.
    const path = resolve(file);
    wrote.set(path, `${wrote.get(path) ?? ""}${message}`.slice(-stderrCharactersMax));
  };
  events.on("test:stderr", keep);
  events.on("test:diagnostic", keep);
  events.on("test:pass", ({ name, skip, file }) => {
    if (skip === undefined || skip === false || honestSkip.test(String(skip))) return;
    failures.push(`${name}${placeOf(file)}\nskipped, though this machine could have run it: ${skip}`);
  });
  let success = false;
  const summed = new Set<string>();
  events.on("test:summary", (summary) => {
    if (summary.file === undefined) success = summary.success;
    else {
      summed.add(resolve(summary.file));
      note(summary.file, summary.duration_ms);
    }
  });
  const report = events.compose(new spec());
  report.pipe(process.stdout, { end: false });
  await finished(report);
  // To node it is no failure that a file ends, in order, before its tests have; it cannot be told from one without tests.
  for (const path of files.map((file) => resolve(file)))
    if (!summed.has(path) && !signal.aborted)
      failures.push(
        `${relative("", path)} ${died.get(path) ?? "has no test, or ended before its tests had"}; the last it wrote:\n${wrote.get(path) ?? "nothing"}`,
      );
  if (signal.aborted) failures.push("the run was interrupted");
  else if (!success && failures.length === 0) failures.push("the run failed, as node's report says");
  const slowest = [...seconds].sort(([, one], [, other]) => other - one).slice(0, slowestTold);
  process.stdout.write(`the slowest files: ${slowest.map(([file, s]) => `${file} ${s.toFixed(0)} s`).join(", ")}\n`);
  return failures;
}

function placeOf(file: string | undefined): string {
  return file === undefined ? "" : ` (${relative("", file)})`;
}

/** Of a file whose process ended before its tests had, which node's report calls no more than failed; undefined of all others. */
function endOfProcess(error: object): string | undefined {
  const { exitCode, signal } = error as { exitCode?: number | null; signal?: string | null };
  if (failureType(error) !== "testCodeFailure") return undefined;
  if (signal) return `was ended by ${signal}`;
  return exitCode ? `ended with exit code ${exitCode}` : undefined;
}

function failureType(error: object): string | undefined {
  return (error as { failureType?: string }).failureType;
}

// What a subcommand of glance-manage is: a name, flags and an exit code; the work is in src/db/schema.
import type { Config } from "../core/config.ts";
import type { Database } from "../db/database.ts";
import type { EngineOptions } from "../db/schema/engine-run.ts";
import type { Release } from "../releases/catalogue.ts";
import type { ExitCode } from "./exit-codes.ts";
import type { ManageOutput } from "./manage-output.ts";

export type ManageFlag = {
  /** As commander reads it: `--max-rows <n>`, or two spellings: `--max_rows, --max-rows <n>`, of which the second names it. */
  readonly flag: string;
  readonly help: string;
  /** Turns the text into a value, or throws a sentence about it. `previous`: what came of an earlier use of the flag. */
  readonly parse?: (text: string, previous?: unknown) => unknown;
};

export type ManageContext = {
  readonly db: Database;
  /** `--to`, or `[perennial] release`. */
  readonly target: Release;
  readonly out: ManageOutput;
  /** The engine's options: database, target, limits from the flags, events to the output, signals of the process. */
  readonly engine: EngineOptions;
  readonly config: Config;
  flag<T>(name: string): T | undefined;
};

export type ManageCommand = {
  /** As in `db NAME` and `db_NAME`. */
  readonly name: string;
  readonly summary: string;
  /** Full sentences for --help: what it does, when, examples. */
  readonly help: string;
  readonly flags: readonly ManageFlag[];
  /** Flags by name that may also be given by position, in this order, as the older spelling of Glance has it. */
  readonly positional?: readonly string[];
  /** It goes to no release: there is no `--to`, or one of its own. */
  readonly withoutTarget?: true;
  run(context: ManageContext): Promise<ExitCode>;
};

/** A whole number of at least `min`. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < min || !/^\d+$/.test(text))
      throw new RangeError(`'${text}' is not a whole number of ${min} or more`);
    return value;
  };
}

/** Of the commands that change the schema. */
export const lockFlags: readonly ManageFlag[] = [
  {
    flag: "--lock-wait-seconds <n>",
    help: "how long to wait in all for tables that others use (default 60)",
    parse: wholeNumber(1),
  },
  { flag: "--allow-copy", help: "let an old server copy tables while writers wait" },
];

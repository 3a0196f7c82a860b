// The command line of glance-manage in both of its spellings: `db NAME` with options, and `db_NAME` with arguments by position.
// What comes out is a command with its flags, or an exit code where all has been said.
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { errorText } from "../core/errors.ts";
import { packageVersion } from "../core/package-version.ts";
import { releaseIds } from "../releases/catalogue.ts";
import { type ExitCode, exitCodes } from "./exit-codes.ts";
import type { ManageCommand } from "./manage-command.ts";

const helpAfter = `
The order of an upgrade under traffic: db expand, db migrate, then the nodes one by one, db contract. glance-rollout does all of it.
--config-file and --config-dir stand before the command. Without them the first of each of glance.conf, glance-api.conf and
glance-manage.conf in ~/.glance, ~, /etc/glance and /etc is read, and the folders glance-api.conf.d and the like beside them.
Every command also exists as db_NAME with its arguments by position, such as: glance-manage db_sync

Examples:
  glance-manage --config-file /etc/glance/glance-api.conf db check
  glance-manage db expand --to ocata --json

Exit codes:
  0 done, or nothing to do   1 failed or refused; the line on standard error says why and what is next   2 wrong command line
  3, 4, 5 db check: db expand, db migrate, db contract is due   6 another run holds the lock
  69 the database cannot be used   78 the configuration is wrong
`;

export type ManageGlobals = {
  readonly configFile?: readonly string[];
  readonly configDir?: readonly string[];
  readonly debug?: true;
};

export type ChosenCommand = {
  readonly command: ManageCommand;
  readonly flags: Readonly<Record<string, unknown>>;
  readonly globals: ManageGlobals;
};

/** Prints what is to be said about a wrong command line, --help and --version. `argv`: without the program's name. */
export function parseManage(argv: readonly string[], commands: readonly ManageCommand[]): ChosenCommand | ExitCode {
  let chosen: ChosenCommand | undefined;
  const collect = (value: string, previous: readonly string[] = []) => [...previous, value];
  const program = new Chooser("glance-manage", () => ["Available categories:", "\tdb"])
    .description("Manages the database of the image service.")
    .version(`glance-manage (perennial) ${packageVersion()}`)
    .option("--config-file <path>", "configuration file; may be repeated, later ones win", collect)
    .option("--config-dir <path>", "folder of *.conf files, read after the files", collect)
    .option("--debug", "log at debug level, and show stack traces")
    .addHelpText("after", helpAfter)
    // Options of all commands stand before the command: behind it, --version is the command's own.
    .enablePositionalOptions()
    .exitOverride();
  const add = (parser: Command, command: ManageCommand) => {
    const positional = command.positional ?? [];
    for (const name of positional) parser.argument(`[${name}]`);
    addFlags(parser, command).action((...args: unknown[]) => {
      const given = positional.flatMap((name, index) =>
        args[index] === undefined
          ? []
          : [[camelCase(name), positionalValue(command, name, String(args[index]))] as const],
      );
      const globals = program.opts<ManageGlobals>();
      chosen = { command, flags: { ...parser.opts(), ...Object.fromEntries(given) }, globals };
    });
  };
  const actions = () => ["Available actions for 'db':", ...commands.map(({ name }) => `\t${name}`)];
  const group = new Chooser("db", actions).description("Commands on the database").copyInheritedSettings(program);
  program.addCommand(group);
  for (const command of commands) {
    add(group.command(command.name), command);
    add(program.command(`db_${command.name}`, { hidden: true }), command);
  }
  try {
    program.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  return chosen ?? exitCodes.usage;
}

/** Where the next word is missing, it lists the words there are: commander would print all of --help. */
class Chooser extends Command {
  readonly #choices: () => readonly string[];

  constructor(name: string, choices: () => readonly string[]) {
    super(name);
    this.#choices = choices;
  }

  override help(): never {
    const path = this.parent ? `${this.parent.name()} ${this.name()}` : this.name();
    const lines = [`Usage: ${path} ${this.usage()}`, ...this.#choices(), `See \`${path} --help\`.`];
    process.stderr.write(`${lines.join("\n")}\n`);
    throw new CommanderError(exitCodes.usage, "commander.help", "a word is missing");
  }
}

function addFlags(parser: Command, command: ManageCommand): Command {
  parser
    .summary(command.summary)
    .description(`${command.summary}\n\n${command.help}`)
    .exitOverride()
    .allowExcessArguments(false);
  for (const { flag, help, parse } of command.flags) {
    if (!parse) parser.option(flag, help);
    else parser.option(flag, help, (text: string) => readValue(parse, text));
  }
  if (!command.withoutTarget)
    parser.addOption(new Option("--to <release>", "target release (default: [perennial] release)").choices(releaseIds));
  return parser.option("--json", "print one JSON object a line on stdout: events, then the result");
}

/** An argument by position means what the flag of its name means; one for a flag without a value is a word for yes or no. */
function positionalValue(command: ManageCommand, name: string, text: string): unknown {
  const flag = command.flags.find((one) => new Option(one.flag).attributeName() === camelCase(name));
  if (flag && !flag.flag.includes("<")) return !/^(|0|no|none|false)$/i.test(text);
  return flag?.parse ? readValue(flag.parse, text) : text;
}

function readValue(parse: (text: string) => unknown, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw new InvalidArgumentError(errorText(error));
  }
}

/** As commander names options: `age-in-days` and `age_in_days` become `ageInDays`. */
function camelCase(name: string): string {
  return name.replaceAll(/[-_](.)/g, (_, letter: string) => letter.toUpperCase());
}

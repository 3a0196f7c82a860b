// The command `glance-status`: what stands in the way of an upgrade, as the table and with the exit codes that operators' scripts know.
import { Command, CommanderError } from "commander";
import { findConfigFiles } from "../core/config-files.ts";
import { errorText, isServiceError } from "../core/errors.ts";
import { packageVersion } from "../core/package-version.ts";
import { type ExitCode, exitCodes } from "./exit-codes.ts";
import { type CheckedItem, resultNames, upgradeChecks } from "./upgrade-checks.ts";

const helpAfter = `
Examples:
  glance-status upgrade check
  glance-status --config-file /etc/glance/glance-api.conf upgrade check --json

Exit codes:
  0 all is well   1 there are warnings   2 something would fail; also: wrong command line   255 something unexpected happened
`;

const title = "Upgrade Check Results";
const lineMax = 60;

type Globals = { readonly configFile?: readonly string[]; readonly configDir?: readonly string[] };

async function main(argv: readonly string[]): Promise<ExitCode> {
  let json: boolean | null = null;
  const collect = (value: string, previous: readonly string[] = []) => [...previous, value];
  const program = new Command("glance-status")
    .description("Tells what stands in the way of an upgrade; changes nothing.")
    .version(`glance-status (perennial) ${packageVersion()}`)
    .option("--config-file <path>", "configuration file; may be repeated, later ones win", collect)
    .option("--config-dir <path>", "folder of *.conf files, read after the files", collect)
    .addHelpText("after", helpAfter)
    .exitOverride();
  const upgrade = program.command("upgrade").description("Checks before an upgrade").exitOverride();
  upgrade
    .command("check")
    .description("Check the configuration and the database, and print a table.")
    .option("--json", "print one JSON object instead")
    .addHelpText("after", helpAfter)
    .exitOverride()
    .action((options: { json?: true }) => {
      json = options.json === true;
    });
  try {
    program.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  const { configFile = [], configDir = [] } = program.opts<Globals>();
  try {
    const items = await upgradeChecks(findConfigFiles("glance-status", configFile, configDir));
    process.stdout.write(json ? `${JSON.stringify({ name: title, checks: items })}\n` : table(items));
    return codes[Math.max(0, ...items.map((item) => item.result))] ?? exitCodes.unexpected;
  } catch (error) {
    process.stderr.write(`glance-status: ${errorText(error)}\n`);
    // A folder of the command line that is not there is as wrong as an option that is not there.
    return isServiceError(error, "config.invalid") ? exitCodes.usage : exitCodes.unexpected;
  }
}

/** Of the worst result. */
const codes: readonly ExitCode[] = [exitCodes.ok, exitCodes.failed, exitCodes.usage];

function table(items: readonly CheckedItem[]): string {
  const cells = [
    [title],
    ...items.map(({ check, result, details }) => [
      `Check: ${check}`,
      `Result: ${resultNames[result]}`,
      ...wrapped(`Details: ${details ?? "None"}`),
    ]),
  ];
  const width = Math.max(...cells.flat().map((line) => line.length));
  const rule = `+${"-".repeat(width + 2)}+`;
  const rows = cells.map((lines) => lines.map((line) => `| ${line.padEnd(width)} |\n`).join(""));
  return `${rule}\n${rows.join(`${rule}\n`)}${rule}\n`;
}

/** Words that are longer than a line stay whole: paths are there to be copied. */
function wrapped(text: string): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > lineMax) {
      lines.push(line);
      line = `  ${word}`;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

process.exitCode = await main(process.argv.slice(2));

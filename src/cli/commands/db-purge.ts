// `db purge`: rows that were deleted long ago go for good, but for images themselves (db-purge-images-table.ts).
import { type Purged, type PurgeOptions, purge } from "../../db/maintenance/purge.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ManageCommand, ManageContext, ManageFlag } from "../manage-command.ts";

const rowsMaxMax = 2 ** 31 - 1;
const msPerDay = 86_400_000;

export function purgeFlags(ageDaysDefault: number): readonly ManageFlag[] {
  return [
    {
      flag: "--age_in_days, --age-in-days <n>",
      help: `rows deleted longer ago than this (default ${ageDaysDefault})`,
      parse: integer,
    },
    { flag: "--max_rows, --max-rows <n>", help: "of each table, oldest first (default 100); -1: all", parse: integer },
  ];
}

/** Options of a purge from its flags, or the line that says what is wrong with them: exit code 1, as the reference has it. */
export function purgeOptions(context: ManageContext, ageDaysDefault: number): PurgeOptions | string {
  const ageDays = context.flag<number>("ageInDays") ?? ageDaysDefault;
  const rowsMax = context.flag<number>("maxRows") ?? 100;
  if (ageDays < 0) return `--age_in_days ${ageDays}: an age is 0 or more`;
  if (ageDays >= Math.floor(Date.now() / msPerDay))
    return `--age_in_days ${ageDays}: that is before 1970-01-01, where time begins; give fewer days`;
  if (rowsMax < -1) return `--max_rows ${rowsMax}: give a number of rows, or -1 for all`;
  if (rowsMax > rowsMaxMax) return `--max_rows ${rowsMax}: not more than ${rowsMaxMax}; -1 for all`;
  return { ...context.engine, ageDays, rowsMax: rowsMax === -1 ? Number.POSITIVE_INFINITY : rowsMax };
}

export function purgedLine({ table, rows }: Purged): string {
  return `Purged ${rows} row${rows === 1 ? "" : "s"} from ${table}`;
}

export const dbPurge: ManageCommand = {
  name: "purge",
  summary: "Remove rows that were deleted long ago, but for images themselves.",
  help: `What users delete is only marked as deleted. This removes such rows of image_properties, image_tags, image_locations,
image_members and tasks (with task_info), oldest first, at most --max_rows of each, in batches of short transactions while the fleet
serves. Locations whose data still waits to be removed from a store stay. Run it again for more, and by cron. Then: db purge_images_table.

Examples:
  glance-manage db purge
  glance-manage db purge --age_in_days 90 --max_rows -1`,
  flags: purgeFlags(30),
  positional: ["age_in_days", "max_rows"],
  withoutTarget: true,
  async run(context) {
    const { out } = context;
    const options = purgeOptions(context, 30);
    if (typeof options === "string") {
      out.error(options, { command: "purge", code: "usage" });
      return exitCodes.failed;
    }
    const purged = await purge(options);
    out.result(purged.map(purgedLine), { command: "purge", ageDays: options.ageDays, purged });
    return exitCodes.ok;
  },
};

/** As Python reads one: the reference leaves what is no number to its option parser, which ends with 2. */
function integer(text: string): number {
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value)) throw new RangeError(`'${text}' is not a whole number`);
  return value;
}

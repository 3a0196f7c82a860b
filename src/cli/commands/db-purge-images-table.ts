// `db purge_images_table`: rows of images that were deleted long ago go for good, once nothing names them.
import { type BlockingChildren, purgeImagesTable } from "../../db/maintenance/purge.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ManageCommand } from "../manage-command.ts";
import { purgedLine, purgeFlags, purgeOptions } from "./db-purge.ts";

const ageDaysDefault = 180;

export const dbPurgeImagesTable: ManageCommand = {
  name: "purge_images_table",
  summary: "Remove images that were deleted long ago. After this their ids can be given again.",
  help: `The second part of a purge, apart from the first and with a longer age, because an id that is gone may be used by anybody for an
image of his own, which others may still trust. Run db purge first: images that rows of other tables name stay, and exit code 1 says
which. Images whose data still waits to be removed from a store stay as well.

Examples:
  glance-manage db purge_images_table
  glance-manage db purge_images_table --age_in_days 365 --max_rows -1`,
  flags: purgeFlags(ageDaysDefault),
  positional: ["age_in_days", "max_rows"],
  withoutTarget: true,
  async run(context) {
    const { out } = context;
    const command = "purge_images_table";
    const options = purgeOptions(context, ageDaysDefault);
    if (typeof options === "string") {
      out.error(options, { command, code: "usage" });
      return exitCodes.failed;
    }
    const { rows, kept, blocked } = await purgeImagesTable(options);
    out.result(purgedLine({ table: "images", rows }), { command, ageDays: options.ageDays, rows, kept, blocked });
    if (kept > 0) out.note(`${kept} older images stay: their data waits to be removed from a store`);
    if (blocked.length === 0) return exitCodes.ok;
    out.error(
      `older images could not go, because rows of other tables name them: ${blocked.map(blockedText).join("; ")}`,
      {
        command,
        code: "children_left",
      },
    );
    return exitCodes.failed;
  },
};

function blockedText({ table, images, marked, live }: BlockingChildren): string {
  const causes = [
    marked > 0
      ? `${marked} deleted rows: run \`glance-manage db purge\` first, with an --age_in_days and --max_rows that cover them`
      : "",
    live > 0 ? `${live} rows that were never marked as deleted: see what they are, and delete them by hand` : "",
  ].filter(Boolean);
  return `${table} names ${images} of them by ${causes.join(", and ")}`;
}

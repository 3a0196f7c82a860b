// `db export_metadefs`: metadata definitions from the database into files.
import { exportMetadefs } from "../../db/metadefs/export.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ManageCommand } from "../manage-command.ts";
import { metadefPath, pathFlag } from "./db-load-metadefs.ts";

export const dbExportMetadefs: ManageCommand = {
  name: "export_metadefs",
  summary: "Write all metadata definitions to JSON files.",
  help: `One file for each namespace, named after its display name, in the form that db load_metadefs reads, here and in Glance. A file of
the same name is replaced whole; other files in the folder stay.

Examples:
  glance-manage db export_metadefs --path /root/metadefs`,
  flags: [pathFlag("folder to write to; made where it is missing")],
  positional: ["path"],
  withoutTarget: true,
  async run(context) {
    const path = metadefPath(context);
    const files = await exportMetadefs(context.db, path);
    context.out.result(`Wrote ${files.length} namespaces to ${path}`, { command: "export_metadefs", path, files });
    return exitCodes.ok;
  },
};

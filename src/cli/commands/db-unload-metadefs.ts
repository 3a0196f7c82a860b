// `db unload_metadefs`: empties the tables of metadata definitions.
import { unloadMetadefs } from "../../db/metadefs/export.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ManageCommand } from "../manage-command.ts";

export const dbUnloadMetadefs: ManageCommand = {
  name: "unload_metadefs",
  summary: "Remove all metadata definitions from the database.",
  help: `All of them, whoever made them, in one transaction. There is no way back but db load_metadefs, so export them first.

Examples:
  glance-manage db export_metadefs --path /root/metadefs && glance-manage db unload_metadefs`,
  flags: [],
  withoutTarget: true,
  async run({ db, out }) {
    const namespaces = await unloadMetadefs(db);
    out.result(`Removed ${namespaces} namespaces`, { command: "unload_metadefs", namespaces });
    return exitCodes.ok;
  },
};

// Where files of metadata definitions stand.
import { optionGroup } from "../../core/options.ts";

export const metadefOptions = optionGroup("DEFAULT", {
  metadata_source_path: {
    type: "string",
    default: "/etc/glance/metadefs/",
    help: "Folder of the files that glance-manage db load_metadefs reads and db export_metadefs writes.",
  },
});

// Options of uploads that can be continued. They are our own: nodes of the reference have nothing like it.
import { optionGroup } from "../../core/options.ts";

export const resumableOptions = optionGroup("perennial", {
  resumable_uploads: {
    type: "boolean",
    default: false,
    help: "Let clients that ask for it (header Upload-Complete) continue an upload that broke, on any node: what arrived is kept in a hidden folder below that of staged data (node_staging_uri), which all nodes must share, and put into the store once it is complete. Turn it on when all nodes are of a package that knows it.",
  },
  resumable_upload_seconds: {
    type: "integer",
    default: 3600,
    min: 60,
    max: 604_800,
    help: "Seconds after its last sign of life until an upload that can be continued is given up: its image is queued again and what arrived is removed.",
  },
});

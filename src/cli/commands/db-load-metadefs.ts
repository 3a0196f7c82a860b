// `db load_metadefs`: metadata definitions from files into the database.
import { metadefOptions } from "../../db/metadefs/config.ts";
import { type LoadedFile, type LoadMode, loadMetadefs } from "../../db/metadefs/load.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ManageCommand, ManageContext } from "../manage-command.ts";

export const pathFlag = (help: string) => ({
  flag: "--path <path>",
  help: `${help} (default: [DEFAULT] metadata_source_path)`,
});

export function metadefPath({ flag, config }: ManageContext): string {
  return flag<string>("path") || config.read(metadefOptions).metadata_source_path;
}

export const dbLoadMetadefs: ManageCommand = {
  name: "load_metadefs",
  summary: "Load metadata definitions from JSON files.",
  help: `One namespace a file. A namespace that exists is left as it is, unless you say --merge (what it lacks is added), --merge --prefer_new
(and what it has takes the file's values) or --merge --overwrite (the file's stands in its place). Each namespace is loaded whole or not
at all; a file that cannot be loaded is named, the others are loaded, and the exit code is 1.

Examples:
  glance-manage db load_metadefs
  glance-manage db load_metadefs --path /usr/share/glance-common/metadefs --merge --prefer_new
  glance-manage db_load_metadefs /etc/glance/metadefs True`,
  flags: [
    pathFlag("folder of *.json files, or one file"),
    { flag: "--merge", help: "add to namespaces that exist" },
    { flag: "--prefer_new, --prefer-new", help: "with --merge: change what exists to what the files say" },
    { flag: "--overwrite", help: "with --merge: put the files' namespaces in the place of those that exist" },
  ],
  positional: ["path", "merge", "prefer_new", "overwrite"],
  withoutTarget: true,
  async run(context) {
    const { db, out, engine } = context;
    const mode = modeOf(context);
    if (typeof mode !== "string") {
      out.error(mode.wrong, { command: "load_metadefs", code: "usage" });
      return exitCodes.failed;
    }
    const path = metadefPath(context);
    const on = (one: LoadedFile) => {
      if (one.outcome === "failed")
        out.error(one.why, { command: "load_metadefs", code: "metadefs.bad_file", file: one.file });
    };
    const { signal } = engine;
    const files = await loadMetadefs({ db, path, mode, on, ...(signal ? { signal } : {}) });
    const count = (outcome: LoadedFile["outcome"]) => files.filter((one) => one.outcome === outcome).length;
    const counts = (["added", "merged", "replaced", "skipped", "failed"] as const).map((one) => `${count(one)} ${one}`);
    out.result(`Namespaces of ${path}: ${counts.join(", ")}`, { command: "load_metadefs", path, mode, files });
    return count("failed") === 0 ? exitCodes.ok : exitCodes.failed;
  },
};

function modeOf({ flag }: ManageContext): LoadMode | { readonly wrong: string } {
  const [merge, preferNew, overwrite] = [flag("merge"), flag("preferNew"), flag("overwrite")];
  if (!merge && (preferNew || overwrite)) return { wrong: "--prefer_new and --overwrite need --merge beside them" };
  if (preferNew && overwrite) return { wrong: "--prefer_new and --overwrite exclude each other: give one of them" };
  if (overwrite) return "overwrite";
  if (preferNew) return "prefer_new";
  return merge ? "merge" : "skip";
}

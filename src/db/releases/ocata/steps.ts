// Ocata as the schema engine sees it: the visibility of images becomes a column of its own (docs of each phase in its file).
import type { ReleaseSteps } from "../../schema/step.ts";
import { contract } from "./contract.ts";
import { expand } from "./expand.ts";
import { losses } from "./losses.ts";
import { migrate } from "./migrate.ts";
import { invariants } from "./verify.ts";

export const ocata: Partial<ReleaseSteps> = {
  expand: { ocata_expand01: expand },
  migrate,
  verify: [{ table: "images", key: "id", keyBefore: "", invariants }],
  contract: { ocata_contract01: contract },
  losses,
  columnsComing: [["images", "visibility"]],
  columnsLeaving: [["images", "is_public"]],
  showsContract: (schema) => schema.hasColumn("images", "visibility") && !schema.hasColumn("images", "is_public"),
};

// Ocata as the schema engine sees it: the visibility of images becomes a column of its own (docs of each phase in its file).
import type { ReleaseSteps } from "../../schema/step.ts";
import { contract } from "./contract.ts";
import { expand } from "./expand.ts";
import { migrate } from "./migrate.ts";
import { invariants } from "./verify.ts";

export const ocata: ReleaseSteps = {
  create: [],
  expand,
  migrate,
  verify: { table: "images", invariants },
  contract,
  columnsComing: [["images", "visibility"]],
  columnsLeaving: [["images", "is_public"]],
  showsContract: (schema) => schema.hasColumn("images", "visibility") && !schema.hasColumn("images", "is_public"),
};

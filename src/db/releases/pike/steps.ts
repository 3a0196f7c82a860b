// Pike as the schema engine sees it: the tables of the artifacts experiment go.
import { dropTable } from "../../schema/changes.ts";
import type { ReleaseSteps } from "../../schema/step.ts";

/** Those that refer to others first. */
const artifactTables = [
  "artifact_blob_locations",
  "artifact_properties",
  "artifact_blobs",
  "artifact_dependencies",
  "artifact_tags",
  "artifacts",
] as const;

export const pike: Partial<ReleaseSteps> = {
  verify: [
    {
      table: "artifacts",
      key: "id",
      keyBefore: "",
      invariants: [
        {
          name: "artifacts of an experiment that ended, which go with their tables",
          severity: "report",
          brokenWhere: "1 = 1",
        },
      ],
    },
  ],
  contract: {
    pike_contract01: artifactTables.map((table) => ({
      name: `drop table ${table}`,
      isApplied: (schema) => !schema.hasTable(table),
      changes: dropTable(table),
    })),
  },
};

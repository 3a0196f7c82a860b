// Train as the schema engine sees it: a location's metadata names its store under another key.
import type { ReleaseSteps } from "../../schema/step.ts";
import { migrate, namesOldKey } from "./migrate.ts";

export const train: Partial<ReleaseSteps> = {
  migrate,
  verify: [
    {
      table: "image_locations",
      key: "id",
      keyBefore: 0,
      invariants: [
        {
          name: "locations that name their store under the key of Rocky and Stein",
          severity: "refuse",
          brokenWhere: namesOldKey,
        },
      ],
    },
  ],
};

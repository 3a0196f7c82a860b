// Rocky as the schema engine sees it: images may be hidden, and carry a second hash. Older nodes leave these columns alone: their
// images are shown, and have no such hash.
import { isLive } from "../../repositories/live-row.ts";
import { columnStep, indexStep, textColumnStep } from "../../schema/column-step.ts";
import type { ReleaseSteps } from "../../schema/step.ts";

export const rocky: Partial<ReleaseSteps> = {
  expand: {
    rocky_expand01: [
      columnStep("images", "os_hidden", {
        mysql: "tinyint(1) NOT NULL DEFAULT 0",
        sqlite: "BOOLEAN DEFAULT 0 NOT NULL",
        postgresql: "boolean DEFAULT false NOT NULL",
      }),
      indexStep("images", "os_hidden_image_idx", ["os_hidden"]),
    ],
    rocky_expand02: [
      textColumnStep("images", "os_hash_algo", 64),
      textColumnStep("images", "os_hash_value", 128),
      indexStep("images", "os_hash_value_image_idx", ["os_hash_value"]),
    ],
  },
  losses: [
    {
      name: "hidden images, which would be listed again",
      table: "images",
      key: "id",
      where: `os_hidden = TRUE AND images.${isLive}`,
    },
    {
      name: "images whose second hash would be forgotten",
      table: "images",
      key: "id",
      where: `os_hash_value IS NOT NULL AND images.${isLive}`,
    },
  ],
  columnsComing: [
    ["images", "os_hidden"],
    ["images", "os_hash_algo"],
    ["images", "os_hash_value"],
  ],
};

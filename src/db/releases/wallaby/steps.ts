// Wallaby as the schema engine sees it: tasks know which image, request and user they are about. Older nodes leave it open.
import { indexStep, textColumnStep } from "../../schema/column-step.ts";
import type { ReleaseSteps } from "../../schema/step.ts";

export const wallaby: Partial<ReleaseSteps> = {
  expand: {
    wallaby_expand01: [
      textColumnStep("tasks", "image_id", 36),
      textColumnStep("tasks", "request_id", 64),
      textColumnStep("tasks", "user_id", 64),
      indexStep("tasks", "ix_tasks_image_id", ["image_id"]),
    ],
  },
  columnsComing: [
    ["tasks", "image_id"],
    ["tasks", "request_id"],
    ["tasks", "user_id"],
  ],
};

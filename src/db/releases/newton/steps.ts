// Newton as the schema engine sees it: nothing comes before it, so it only creates.
import type { ReleaseSteps } from "../../schema/step.ts";
import { create } from "./create.ts";

export const newton: Partial<ReleaseSteps> = { create };

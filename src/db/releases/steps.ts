// Which release brings which steps. A release of the catalogue that changes nothing in the database has no entry here.
import type { ReleaseId } from "../../releases/catalogue.ts";
import type { ReleaseSteps } from "../schema/step.ts";
import { newton } from "./newton/steps.ts";
import { ocata } from "./ocata/steps.ts";

const none: ReleaseSteps = {
  create: [],
  expand: [],
  migrate: [],
  verify: null,
  contract: [],
  columnsComing: [],
  columnsLeaving: [],
  showsContract: () => false,
};
const stepsByRelease: Partial<Record<ReleaseId, ReleaseSteps>> = { newton, ocata };

export function stepsOf(release: ReleaseId): ReleaseSteps {
  return stepsByRelease[release] ?? none;
}

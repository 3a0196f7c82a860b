// Which release brings which steps. A release of the catalogue that changes nothing in the database has no entry here.
import type { Release, ReleaseId } from "../../releases/catalogue.ts";
import type { ExpandStep, FinalStep, ReleaseSteps } from "../schema/step.ts";
import { caching } from "./2024.1/steps.ts";
import { newton } from "./newton/steps.ts";
import { ocata } from "./ocata/steps.ts";
import { pike } from "./pike/steps.ts";
import { rocky } from "./rocky/steps.ts";
import { train } from "./train/steps.ts";
import { wallaby } from "./wallaby/steps.ts";

const none: ReleaseSteps = {
  create: [],
  expand: {},
  migrate: [],
  verify: [],
  contract: {},
  losses: [],
  columnsComing: [],
  columnsLeaving: [],
  showsContract: () => false,
};

const stepsByRelease: Partial<Record<ReleaseId, Partial<ReleaseSteps>>> = {
  newton,
  ocata,
  pike,
  rocky,
  train,
  wallaby,
  "2024.1": caching,
};

export function stepsOf(release: ReleaseId): ReleaseSteps {
  return { ...none, ...stepsByRelease[release] };
}

/** Of all its revisions, in order. */
export function expandStepsOf(release: Release): readonly ExpandStep[] {
  const { expand } = stepsOf(release.id);
  return release.revisions.flatMap((pair) => expand[pair.expand] ?? []);
}

/** Of all its revisions, in order. */
export function contractStepsOf(release: Release): readonly FinalStep[] {
  const { contract } = stepsOf(release.id);
  return release.revisions.flatMap((pair) => contract[pair.contract] ?? []);
}

// Several balancers in front of one fleet, seen as one. What is told where they differ (one was reloaded, or the rollout died between two
// of them) makes the next decision repeat the act that was cut short.
import { isServiceError, ServiceError } from "../../core/errors.ts";
import type { RotationState, RotationView } from "../snapshot.ts";

export function mergeViews(views: readonly ReadonlyMap<string, RotationView>[]): ReadonlyMap<string, RotationView> {
  const names = new Set(views.flatMap((view) => [...view.keys()]));
  return new Map([...names].map((name) => [name, mergeView(views.flatMap((view) => view.get(name) ?? []))]));
}

function mergeView(views: readonly RotationView[]): RotationView {
  const state = mergeStates(views.map((view) => view.state));
  return {
    state,
    // In rotation is who gets requests from all of them.
    up: views.every((view) => view.up && view.state === state),
    sessions: views.reduce((sum, view) => sum + view.sessions, 0),
    ...(views.every((view) => view.failures !== undefined) && {
      failures: views.reduce((sum, view) => sum + (view.failures ?? 0), 0),
    }),
  };
}

/**
 * One still sends while another drains: it was being taken out, so it counts as in rotation, and is drained again. One still sends while
 * another has it in maintenance: it was being brought back, or one balancer forgot; it counts as drained, and is brought back or disabled
 * again. Drivers that bring a server back pass through maintenance, so that these two cannot be mistaken for each other.
 */
export function mergeStates(states: readonly RotationState[]): RotationState {
  const [first = "ready"] = states;
  if (states.every((state) => state === first)) return first;
  return states.includes("ready") && states.includes("drain") ? "ready" : "drain";
}

/** Waits for all. Throws what failed: one failure as it is, several in one line. */
export async function allOrNamed<T>(works: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(works);
  const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  const [first] = failures;
  if (failures.length > 1 && failures.every((one) => isServiceError(one)) && isServiceError(first)) {
    const texts = failures.flatMap((one) => (isServiceError(one) ? [one.message] : []));
    throw new ServiceError(first.code, texts.join("; also: "), {
      facts: first.facts,
      cause: new AggregateError(failures),
    });
  }
  if (failures.length > 0) throw first;
  return results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
}

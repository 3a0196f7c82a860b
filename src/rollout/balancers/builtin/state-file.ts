// Keeps the states an operator set across a restart of the balancer: a server that was drained must not come back by itself.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { errorText, ServiceError } from "../../../core/errors.ts";
import type { RotationState } from "../../snapshot.ts";

/** States by server name; empty where there is no file. Throws rollout.driver_failed where it cannot be read. */
export function readStates(file: string): ReadonlyMap<string, RotationState> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return new Map();
    throw unusable(file, error);
  }
  try {
    const parsed: unknown = JSON.parse(text);
    const entries = Object.entries(typeof parsed === "object" && parsed !== null ? parsed : {});
    return new Map(entries.flatMap(([name, state]) => (isRotationState(state) ? [[name, state] as const] : [])));
  } catch (error) {
    throw unusable(file, error);
  }
}

/** Replaces the file in one step. */
export function writeStates(file: string, states: ReadonlyMap<string, RotationState>): void {
  try {
    writeFileSync(`${file}.new`, `${JSON.stringify(Object.fromEntries(states))}\n`, { flush: true });
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw unusable(file, error);
  }
}

export function isRotationState(value: unknown): value is RotationState {
  return value === "ready" || value === "drain" || value === "maint";
}

function unusable(file: string, error: unknown): ServiceError {
  const message = `the balancer's states in ${file} cannot be used: ${errorText(error)}`;
  return new ServiceError("rollout.driver_failed", message, { facts: { file }, cause: error });
}

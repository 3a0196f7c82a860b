// The contract of balancer drivers. Servers go by their names, which are the fleet's node names. What was set is read back from the
// balancer itself, because a balancer can be reloaded, replaced or told otherwise at any time.
import type { RotationState, RotationView } from "../snapshot.ts";

export interface Balancer {
  /** How long setState may take, in milliseconds, where that can be longer than other acts of a rollout. */
  readonly actMsMax?: number;
  /**
   * Every server as the balancer has it now. Throws rollout.driver_failed where it does not answer, naming where it was asked and what to
   * do, and rollout.fleet_invalid where one of the fleet's nodes is not a server of it.
   */
  observe(signal: AbortSignal): Promise<ReadonlyMap<string, RotationView>>;
  /**
   * Sets the state of one server; returns when the balancer itself says that it has it. Setting what is set already succeeds.
   * From then on no new request reaches a server in drain or maint; requests under way are left alone.
   */
  setState(server: string, state: RotationState, signal: AbortSignal): Promise<void>;
  /**
   * For how long yet some clients may be served by a process that a reload has replaced, which learns nothing of what is set now, in milliseconds.
   * Absent: a reload leaves none. Fails as `observe` does.
   */
  outdatedMs?(signal: AbortSignal): Promise<number>;
}

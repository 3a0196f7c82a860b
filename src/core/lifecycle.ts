// Starting and stopping in order: what was started last is stopped first, and one failing stop does not keep the others from stopping.

export interface Stoppable {
  /** Safe to call twice, and before anything was started. */
  stop(): Promise<void>;
}

/** A stack of things to stop. `stop()` stops all, newest first, and then throws what failed, all of it. */
export class StopStack implements Stoppable {
  #stops: (() => Promise<void> | void)[] = [];

  defer(stop: () => Promise<void> | void): void {
    this.#stops.push(stop);
  }

  async stop(): Promise<void> {
    const failures: unknown[] = [];
    for (let stop = this.#stops.pop(); stop; stop = this.#stops.pop()) {
      try {
        await stop();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, "stopping failed");
  }
}

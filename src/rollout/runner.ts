// The loop of a rollout: observe, decide, journal, act, and again. What a step means in the world is the World's; whether it is
// right is decide's. Stopping it, by a signal or by kill -9, loses nothing: the next run observes and goes on.
import type { Clock } from "../core/clock.ts";
import { errorText, isServiceError } from "../core/errors.ts";
import { decide, type Plan } from "./decide.ts";
import { isServing } from "./decide-node.ts";
import { type Action, actionKey, type Decision, isAction, type Phase } from "./decision.ts";
import type { JournalWriter } from "./journal-event.ts";
import type { RunMemory, Snapshot } from "./snapshot.ts";

/** What a runner needs of the world. Every call has deadlines of its own and ends soon after `signal` aborts. */
export interface World {
  observe(signal: AbortSignal): Promise<Omit<Snapshot, "memory">>;
  /** Does one step, and reads back that it is done. `report` is for progress. */
  act(action: Action, report: Report, signal: AbortSignal): Promise<Done>;
}
export type Done = {
  /** A line on what was achieved. */
  readonly text: string;
  /** A good part is done and another one is left: so that the fleet is looked at in between, long work is done in parts. */
  readonly partly?: boolean;
  /** Facts for the journal's entry. */
  readonly data?: Readonly<Record<string, unknown>>;
};
export type Report = (text: string, data?: Readonly<Record<string, unknown>>) => Promise<void>;

export type RunEnd =
  | { readonly end: "finished" }
  /** As far as this run was asked to go; the rollout is not over. */
  | { readonly end: "reached"; readonly why: string }
  /** What was moved does worse than what was not, and the fleet is to go back. */
  | { readonly end: "retreat"; readonly why: string }
  /** An operator gave it up, and it is over. */
  | { readonly end: "aborted"; readonly why: string }
  /** It stands where it is and waits for a person. */
  | { readonly end: "paused"; readonly why: string }
  /** `signal` aborted. */
  | { readonly end: "stopped" }
  /** Another run has the fleet; nothing was done since. */
  | { readonly end: "displaced"; readonly why: string }
  /** Nothing was touched: the backup could not be made. */
  | { readonly end: "failed"; readonly why: string };

export type RunnerOptions = {
  readonly plan: Plan;
  readonly world: World;
  readonly journal: JournalWriter;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Between two looks while waiting. */
  readonly pollMs: number;
  /** How long looking may fail in a row before the rollout pauses. */
  readonly blindMsMax: number;
  /** How often progress of a wait is journaled. */
  readonly progressMs: number;
};

/** What is waited for at one node is named after it; other waits are the fleet's, and begin anew once something is done. */
function isOfFleet(waitKey: string): boolean {
  return !waitKey.includes(" ");
}

/** What was seen longer ago than this is not acted upon: a floor that held then may not hold now. */
const staleMsMax = 10_000;

export async function runRollout(options: RunnerOptions): Promise<RunEnd> {
  return new Runner(options).run();
}

class Runner {
  readonly #options: RunnerOptions;
  /** What is waited for, by key, and since when. */
  #waits = new Map<string, number>();
  /** The wait that was journaled last. */
  #told: { key: string; atMs: number; text: string } | null = null;
  /** Since when a node was seen to serve its release at every look. */
  #judgedNodes = 0;
  readonly #serving = new Map<string, { release: string | null; sinceMs: number }>();
  #failed: RunMemory["failed"] = null;
  #blindSinceMs: number | null = null;
  /** The last action that succeeded, and how often it was decided again right after. */
  #done: { key: string; repeats: number } = { key: "", repeats: 0 };
  /** The action that was decided again right after it was done, and for which the world was given a moment to show it. */
  #doubted = "";
  #lookedAtMs = 0;
  /** How often in a row a look was too old when its decision was in the journal. */
  #stale = 0;
  #phase: Phase = "backup";

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  async run(): Promise<RunEnd> {
    try {
      return await this.#loop();
    } catch (error) {
      if (!isServiceError(error, "rollout.lease_lost")) throw error;
      // Not a word in the journal: it is another run's by now.
      return { end: "displaced", why: error.message };
    }
  }

  async #loop(): Promise<RunEnd> {
    const { plan, signal } = this.#options;
    while (!signal.aborted) {
      const seen = await this.#look();
      if (!seen) break;
      if ("blind" in seen) {
        if (seen.blind === null) continue;
        return this.#pause({ do: "pause", phase: this.#phase, why: seen.blind });
      }
      const decision = decide(plan, seen);
      this.#phase = decision.phase;
      if (decision.do === "finish") {
        const back = plan.way === "back" && { rolledBack: true };
        await this.#journal("decision", decision, decision.why, { do: "finish", ...back });
        return { end: "finished" };
      }
      if (decision.do === "reach" || decision.do === "abort") {
        await this.#journal("decision", decision, decision.why, { do: decision.do });
        return { end: decision.do === "reach" ? "reached" : "aborted", why: decision.why };
      }
      if (decision.do === "judge" || decision.do === "retreat") {
        const { figures } = decision;
        const verdict = decision.do === "judge" ? "passed" : "failed";
        await this.#journal("decision", decision, decision.why, { do: decision.do, verdict, figures });
        if (decision.do === "retreat") return { end: "retreat", why: decision.why };
        this.#judgedNodes = decision.nodes;
        // The next batch has a comparison of its own, with all of its time.
        this.#waits.clear();
        continue;
      }
      if (decision.do === "pause") return this.#pause(decision);
      if (isAction(decision)) {
        const failed = await this.#act(decision, seen);
        if (failed) return failed;
      } else await this.#wait(decision);
    }
    await this.#journal("result", { phase: this.#phase }, "stopped by a signal; run again to go on", { stopped: true });
    return { end: "stopped" };
  }

  /** undefined: the signal aborted. `blind`: it could not look; null while that is not yet too long. */
  async #look(): Promise<Snapshot | { blind: string | null } | undefined> {
    const { world, clock, signal, blindMsMax } = this.#options;
    try {
      const seen = await world.observe(signal);
      this.#lookedAtMs = clock.monotonicMs();
      this.#blindSinceMs = null;
      return { ...seen, memory: this.#memory(seen, clock.monotonicMs()) };
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!isServiceError(error) || error.code === "rollout.lease_lost") throw error;
      const first = this.#blindSinceMs === null;
      this.#blindSinceMs ??= clock.monotonicMs();
      if (first) await this.#journal("observation", { phase: this.#phase }, error.message, { code: error.code });
      const tooLong = clock.monotonicMs() - this.#blindSinceMs > blindMsMax || !error.retryable;
      if (!tooLong) await this.#sleep();
      return { blind: tooLong ? error.message : null };
    }
  }

  #memory(seen: Omit<Snapshot, "memory">, nowMs: number): RunMemory {
    for (const node of seen.nodes) {
      const since = this.#serving.get(node.name);
      if (!isServing(node)) this.#serving.delete(node.name);
      else if (since?.release !== node.release) this.#serving.set(node.name, { release: node.release, sinceMs: nowMs });
    }
    const serving = [...this.#serving].map(([name, { sinceMs }]) => [name, nowMs - sinceMs] as const);
    const waits = [...this.#waits].map(([key, sinceMs]) => [key, nowMs - sinceMs] as const);
    return {
      waits: Object.fromEntries(waits),
      servingMs: Object.fromEntries(serving),
      judgedNodes: this.#judgedNodes,
      failed: this.#failed,
    };
  }

  async #wait(decision: Extract<Decision, { do: "wait" }>): Promise<void> {
    const { clock, progressMs } = this.#options;
    const nowMs = clock.monotonicMs();
    const { key, why, also = [] } = decision;
    this.#waits = new Map([key, ...also].map((one) => [one, this.#waits.get(one) ?? nowMs]));
    if (this.#told?.key !== key) {
      this.#told = { key, atMs: nowMs, text: why };
      await this.#journal("decision", decision, `wait: ${why}`, { do: "wait", key });
    } else if (why !== this.#told.text && nowMs - this.#told.atMs >= progressMs) {
      this.#told = { key, atMs: nowMs, text: why };
      await this.#journal("observation", decision, why, { key });
    }
    await this.#sleep();
  }

  /** Whatever was waited for at a node that is acted upon is over; the others of its batch are waited for as before. */
  #forgetWaits(decision: Action): void {
    this.#told = null;
    if (!("node" in decision)) this.#waits.clear();
    else {
      const isOver = (key: string) => key.endsWith(` ${decision.node}`) || isOfFleet(key);
      for (const key of this.#waits.keys()) if (isOver(key)) this.#waits.delete(key);
    }
  }

  async #act(decision: Action, seen: Snapshot): Promise<RunEnd | undefined> {
    const { plan, world, clock, signal } = this.#options;
    const name = actionKey(decision);
    if (this.#done.key === name && this.#doubted !== name) {
      // Done before, and due again: the world may need a moment to show it. What is done then rests on a look of then.
      this.#doubted = name;
      await this.#sleep();
      return undefined;
    }
    this.#doubted = "";
    this.#forgetWaits(decision);
    const node = "node" in decision ? seen.nodes.find((one) => one.name === decision.node) : undefined;
    const facts = node
      ? { sessions: node.rotation.sessions, ...(node.transfers && { transfers: node.transfers }) }
      : {};
    await this.#journal("decision", decision, `${name}: ${decision.why}`, { do: decision.do, ...facts });
    this.#done = { key: name, repeats: this.#done.key === name ? this.#done.repeats + 1 : 0 };
    if (this.#done.repeats >= plan.failuresMax) {
      return this.#pause({
        do: "pause",
        phase: decision.phase,
        why: `${name} was done again and again, but its effect is not seen`,
      });
    }
    const startedMs = clock.monotonicMs();
    if (startedMs - this.#lookedAtMs > staleMsMax) return this.#lookAgain(decision, startedMs - this.#lookedAtMs);
    this.#stale = 0;
    const report: Report = async (text, data) => this.#journal("action", decision, text, data);
    try {
      const { text, partly, data } = await world.act(decision, report, signal);
      if (partly) this.#done = { key: "", repeats: 0 };
      const ms = Math.round(clock.monotonicMs() - startedMs);
      await this.#journal("result", decision, text, { do: decision.do, ok: true, ms, ...data });
      this.#failed = null;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!isServiceError(error) || error.code === "rollout.lease_lost") throw error;
      const ms = Math.round(clock.monotonicMs() - startedMs);
      await this.#journal("result", decision, error.message, { do: decision.do, ok: false, ms, code: error.code });
      if (error.code === "rollout.backup_failed") return { end: "failed", why: error.message };
      // Another run of the schema engine, as left behind by a rollout that was killed, ends by itself; it counts as no failure.
      this.#done = { key: "", repeats: 0 };
      const count = error.code === "schema.locked" ? 0 : 1 + (this.#failed?.key === name ? this.#failed.count : 0);
      this.#failed = count === 0 ? null : { key: name, count, text: errorText(error) };
      // Asking it costs a process each time.
      await this.#sleep(count === 0 ? 5 : count);
    }
    return undefined;
  }

  /** Nothing was done, whatever the journal's last decision says. */
  async #lookAgain(decision: Action, ageMs: number): Promise<RunEnd | undefined> {
    this.#done = { key: "", repeats: 0 };
    const age = `${Math.round(ageMs / 1000)} s`;
    if (++this.#stale < this.#options.plan.failuresMax) {
      const text = `not done: the look it rests on is ${age} old by now`;
      await this.#journal("observation", decision, text, { do: decision.do });
      return undefined;
    }
    const why = `writing the journal took ${age}, ${this.#stale} times in a row: too long to act on what was seen`;
    return this.#pause({ do: "pause", phase: decision.phase, why });
  }

  async #pause(decision: Extract<Decision, { do: "pause" }>): Promise<RunEnd> {
    await this.#journal("decision", decision, `pause: ${decision.why}`, {
      do: "pause",
      ...(decision.figures && { verdict: "failed", figures: decision.figures }),
      ...(decision.cause && { cause: decision.cause }),
    });
    return { end: "paused", why: decision.why };
  }

  async #journal(
    kind: "decision" | "action" | "result" | "observation",
    about: { readonly phase: Phase; readonly node?: string },
    text: string,
    data?: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const { phase, node } = about;
    await this.#options.journal.append({
      kind,
      phase,
      ...(node !== undefined && { node }),
      text,
      ...(data !== undefined && { data }),
    });
  }

  /** Ends early when the signal aborts. */
  async #sleep(polls = 1): Promise<void> {
    const { clock, signal, pollMs } = this.#options;
    try {
      await clock.sleep(pollMs * polls, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

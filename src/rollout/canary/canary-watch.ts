// Looks at what every node answers, second by second, and keeps the figures of new and old nodes since the same moment: the one at which
// the set of nodes that were moved was last another. A node whose counters began anew begins a new window for all.
import type { Clock } from "../../core/clock.ts";
import { isServing } from "../decide-node.ts";
import { requestNode } from "../node-request.ts";
import type { NodeView } from "../snapshot.ts";
import type { CanaryFigures, GroupFigures } from "./judge-canary.ts";
import { addCounters, countersSince, type NodeCounters, p99MsOf, parseCounters } from "./node-counters.ts";

/** `failures` as the balancer counts them since its start: they include answers that never came. */
type Sight = { readonly node: NodeCounters; readonly failures: number | undefined };

const everyMs = 1_000;
const answerMsMax = 3_000;

export class CanaryWatch {
  readonly #target: string;
  readonly #clock: Clock;
  readonly #addressOf: (node: string) => string | undefined;
  #window: { readonly key: string; readonly sinceMs: number; readonly base: ReadonlyMap<string, Sight> } | null = null;
  #last: { readonly atMs: number; readonly figures: CanaryFigures | null } | null = null;

  constructor(options: {
    target: string;
    clock: Clock;
    addressOf: (node: string) => string | undefined;
  }) {
    this.#target = options.target;
    this.#clock = options.clock;
    this.#addressOf = options.addressOf;
  }

  /** Null while there is nothing to compare. Never rejects for a node that does not answer: it has no figures then. */
  async look(nodes: readonly NodeView[], signal: AbortSignal): Promise<CanaryFigures | null> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#last && nowMs - this.#last.atMs < everyMs) return this.#last.figures;
    const serving = nodes.filter(isServing);
    const fresh = serving.filter((node) => node.release === this.#target);
    const figures =
      fresh.length === 0 || fresh.length === serving.length
        ? this.#forget()
        : await this.#compare(serving, signal, nowMs);
    this.#last = { atMs: nowMs, figures };
    return figures;
  }

  #forget(): null {
    this.#window = null;
    return null;
  }

  async #compare(serving: readonly NodeView[], signal: AbortSignal, nowMs: number): Promise<CanaryFigures | null> {
    const sights = await this.#sights(serving, signal);
    const key = serving.map((node) => `${node.name} ${node.release} ${node.starts}`).join();
    if (this.#window?.key !== key) return this.#begin(key, nowMs, sights);
    const since = new Map<string, NodeCounters>();
    for (const [name, sight] of sights) {
      const base = this.#window.base.get(name);
      const counters = base && sightSince(base, sight);
      if (!counters) return this.#begin(key, nowMs, sights);
      since.set(name, counters);
    }
    const isNew = (node: NodeView) => node.release === this.#target;
    return {
      windowMs: nowMs - this.#window.sinceMs,
      new: groupOf(serving.filter(isNew), since),
      old: groupOf(
        serving.filter((node) => !isNew(node)),
        since,
      ),
    };
  }

  #begin(key: string, sinceMs: number, base: ReadonlyMap<string, Sight>): null {
    this.#window = { key, sinceMs, base };
    return null;
  }

  async #sights(serving: readonly NodeView[], signal: AbortSignal): Promise<ReadonlyMap<string, Sight>> {
    const sights = await Promise.all(
      serving.map(async ({ name, rotation }) => {
        const node = await this.#ask(name, signal);
        return node ? ([[name, { node, failures: rotation.failures }]] as const) : [];
      }),
    );
    return new Map(sights.flat());
  }

  async #ask(name: string, signal: AbortSignal): Promise<NodeCounters | null> {
    const address = this.#addressOf(name);
    if (address === undefined) return null;
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]);
      const { status, body } = await requestNode(address, { method: "GET", path: "/metrics" }, limit);
      // A node of the reference's has no such page, and so no figures.
      return status === 200 ? parseCounters(body.toString("utf8")) : null;
    } catch {
      // Its health check says what is wrong with it.
      return null;
    }
  }
}

/** Of what the node and the balancer saw fail the larger number: a broken connection is no answer of the node's. */
function sightSince(base: Sight, now: Sight): NodeCounters | null {
  const node = countersSince(base.node, now.node);
  if (!node) return null;
  if (base.failures === undefined || now.failures === undefined) return node;
  const errors = now.failures - base.failures;
  return errors < 0 ? null : { ...node, errors: Math.max(node.errors, errors) };
}

function groupOf(nodes: readonly NodeView[], since: ReadonlyMap<string, NodeCounters>): GroupFigures {
  const counters = addCounters(nodes.flatMap(({ name }) => since.get(name) ?? []));
  const { requests, errors } = counters;
  return { nodes: nodes.map(({ name }) => name), requests, errors, p99Ms: p99MsOf(counters) };
}

// Looks at a fleet every couple of seconds beside the rollout, while that waits and while it acts, and keeps what it saw. It never holds
// the rollout up: it rests longer than it looks, asks a few nodes at once, and what goes wrong here is told once and goes no further.
import { randomUUID } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import { Slots } from "../../core/slots.ts";
import type { SeenNode } from "../../db/repositories/node-repository.ts";
import { withDeadline } from "../deadline.ts";
import { requestNode } from "../node-request.ts";
import type { NodeView, RotationView } from "../snapshot.ts";
import { AnswerTally, parseAnswers } from "./answer-tally.ts";
import type { FleetSample, NodeSample } from "./sample.ts";
import type { SampleWriter } from "./sample-store.ts";

export type SamplerOptions = {
  readonly nodes: readonly { readonly name: string; readonly address: string }[];
  readonly balancer: { observe(signal: AbortSignal): Promise<ReadonlyMap<string, RotationView>> };
  readonly rows: (signal: AbortSignal) => Promise<readonly SeenNode[]>;
  readonly open: (signal: AbortSignal) => Promise<SampleWriter>;
  readonly clock: Clock;
  /** Told once for each kind of trouble in a row. */
  readonly onTrouble: (error: unknown) => void;
};

const everyMs = 2_000;
/** A fleet that takes two seconds to be looked at is looked at every eight; most of that is waiting. */
const restPerWork = 3;
/** A look of the rollout itself that is younger is as good as one of ours. */
const lookFreshMs = 1_500;
const answerMsMax = 3_000;
const lookMsMax = 10_000;
const writeMsMax = 10_000;
const lastMsMax = 2_000;
const nodesAtOnce = 8;
/** Longer than between two heartbeats of a node that lives. */
const rowFreshSeconds = 15;

export class Sampler {
  readonly #options: SamplerOptions;
  readonly #tally = new AnswerTally();
  readonly #run = randomUUID();
  readonly #over = new AbortController();
  readonly #slots = new Slots(nodesAtOnce);
  #look: { readonly atMs: number; readonly nodes: readonly NodeView[] } | null = null;
  #writer: SampleWriter | null = null;
  #writing: Promise<void> | null = null;
  #troubled = false;
  #loop: Promise<void> | null = null;

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#goOn();
  }

  /** What the rollout itself has just seen: it is not asked for again. */
  look(nodes: readonly NodeView[]): void {
    this.#look = { atMs: this.#options.clock.monotonicMs(), nodes };
  }

  /** Keeps a last sample, so that the figures go up to the end, and is through within seconds whatever happens. Never rejects. */
  async stop(): Promise<void> {
    if (!this.#loop) return;
    this.#over.abort();
    await this.#loop;
    await this.#try(AbortSignal.timeout(lastMsMax), lastMsMax);
  }

  async #goOn(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#over.signal.aborted) {
      const beganMs = clock.monotonicMs();
      await this.#try(this.#over.signal, writeMsMax);
      const restMs = Math.max(everyMs, restPerWork * (clock.monotonicMs() - beganMs));
      await clock.sleep(restMs, this.#over.signal).catch(() => undefined);
    }
  }

  async #try(signal: AbortSignal, msMax: number): Promise<void> {
    try {
      await this.#take(signal, msMax);
      this.#troubled = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!this.#troubled) this.#options.onTrouble(error);
      this.#troubled = true;
    }
  }

  async #take(signal: AbortSignal, msMax: number): Promise<void> {
    // One that hangs is not joined by others.
    if (this.#writing) return;
    const { clock, nodes } = this.#options;
    const answers = await this.#ask(signal);
    const seen = await this.#see(answers, signal);
    signal.throwIfAborted();
    for (const { name, failures } of seen.failures) this.#tally.addFailures(name, failures);
    const told = [...answers.values()].filter((answer) => answer === "told").length;
    const atMs = clock.nowMs();
    const sample = { atMs, run: this.#run, ...this.#tally.figures, told, asked: nodes.length };
    this.#writing = this.#write(sample, seen.nodes, signal).finally(() => {
      this.#writing = null;
    });
    // Whoever does not wait for it any more need not hear of its end.
    this.#writing.catch(() => undefined);
    const writing = this.#writing;
    await withDeadline("keeping what was seen of the fleet", msMax, signal, () => writing, "db.unreachable");
  }

  async #write(sample: FleetSample, nodes: readonly NodeSample[], signal: AbortSignal): Promise<void> {
    this.#writer ??= await this.#options.open(signal);
    await this.#writer.add(sample, nodes);
  }

  async #see(answers: Answers, signal: AbortSignal): Promise<Seen> {
    const { clock, nodes, balancer, rows } = this.#options;
    const look = this.#look;
    if (look && clock.monotonicMs() - look.atMs < lookFreshMs) return fromLook(look.nodes);
    // While the rollout acts it does not look; nodes' drivers are not asked here, so that nothing is done twice at a host.
    const within = <T>(what: string, work: (limit: AbortSignal) => Promise<T>) =>
      withDeadline(what, lookMsMax, signal, work).catch(() => null);
    const [rotations, seen] = await Promise.all([
      within("asking the balancer", (limit) => balancer.observe(limit)),
      within("reading the registry", rows),
    ]);
    return fromParts(nodes, rotations, seen, answers);
  }

  async #ask(signal: AbortSignal): Promise<Answers> {
    const { nodes } = this.#options;
    return new Map(
      await Promise.all(nodes.map(async (node) => [node.name, await this.#askOne(node, signal)] as const)),
    );
  }

  async #askOne(node: SamplerOptions["nodes"][number], signal: AbortSignal): Promise<Answer> {
    try {
      const release = await this.#slots.take(signal);
      try {
        const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]);
        const { status, body } = await requestNode(node.address, { method: "GET", path: "/metrics" }, limit);
        const answers = status === 200 ? parseAnswers(body.toString("utf8")) : null;
        if (answers) this.#tally.add(node.name, answers);
        return answers ? "told" : "answered";
      } finally {
        release();
      }
    } catch (error) {
      return error instanceof Error && "code" in error && error.code === "ECONNREFUSED" ? "refused" : "silent";
    }
  }
}

/** told: with its figures. refused: nobody listens there. */
type Answer = "told" | "answered" | "refused" | "silent";
type Answers = ReadonlyMap<string, Answer>;

type Seen = {
  readonly nodes: readonly NodeSample[];
  readonly failures: readonly { readonly name: string; readonly failures: number }[];
};

function fromLook(nodes: readonly NodeView[]): Seen {
  return {
    nodes: nodes.map(({ name, release, process, healthy, rotation, transfers, heartbeatAgeSeconds }) => ({
      name,
      release,
      process,
      healthy,
      rotation: rotation.state,
      up: rotation.up,
      requests: rotation.sessions,
      transfers,
      heartbeatAgeSeconds,
    })),
    failures: nodes.flatMap(({ name, rotation }) => failuresOf(name, rotation)),
  };
}

function fromParts(
  nodes: SamplerOptions["nodes"],
  rotations: ReadonlyMap<string, RotationView> | null,
  rows: readonly SeenNode[] | null,
  answers: Answers,
): Seen {
  const byName = new Map(rows?.map((row) => [row.record.name, row]));
  return {
    nodes: nodes.map(({ name }) => toSample(name, rotations?.get(name), byName.get(name), answers.get(name))),
    failures: nodes.flatMap(({ name }) => failuresOf(name, rotations?.get(name))),
  };
}

function toSample(
  name: string,
  rotation: RotationView | undefined,
  row: SeenNode | undefined,
  answer: Answer | undefined,
): NodeSample {
  const process = processOf(row, answer);
  const alive = row && process !== null && process !== "gone" ? row : undefined;
  const { uploads = 0, downloads = 0, bytesLeft = null, etaSeconds = null } = alive?.record.transfers ?? {};
  return {
    name,
    release: alive?.record.release ?? null,
    process,
    healthy: null,
    rotation: rotation?.state ?? null,
    up: rotation?.up ?? null,
    requests: rotation?.sessions ?? null,
    transfers: alive ? { count: uploads + downloads, bytesLeft, etaSeconds } : null,
    heartbeatAgeSeconds: alive?.silentSeconds ?? null,
  };
}

/** The registry's row is the last word of a process; whether that still runs it does not tell. */
function processOf(row: SeenNode | undefined, answer: Answer | undefined): NodeSample["process"] {
  const speaks = row !== undefined && row.silentSeconds < rowFreshSeconds && row.record.state !== "stopped";
  if (speaks && row.record.state === "draining") return "stopping";
  if (answer === "told" || answer === "answered") return "running";
  // A process that finishes what it has refuses new connections too.
  return answer === "refused" && !speaks ? "gone" : null;
}

function failuresOf(name: string, rotation: RotationView | undefined): Seen["failures"] {
  return rotation?.failures === undefined ? [] : [{ name, failures: rotation.failures }];
}

// Slow uploads and downloads that are under way while nodes stop. Each trickles until a node's stop was seen during it, goes on for
// a while so that the stop has to wait for it, and is then let go; the next one begins at once.
import { setTimeout as sleep } from "node:timers/promises";
import { contentStream, rawContent } from "../images.ts";
import { type Actor, memberToken, type OwnImage, visibleTo } from "./actor.ts";
import { createOwn } from "./create.ts";
import { getData } from "./download.ts";
import { paced } from "./http-client.ts";
import { putData } from "./upload.ts";

const uploadBytes = 24 * 1_048_576;
const uploadStepBytes = 32_768;
const stepMs = 50;
/** Of one that is let go: not as fast as it can, for the client's own computing would hold up all other requests, which are timed. */
const letGoStepMs = 2;
/** How long a transfer holds up the stop it was seen in. */
const holdMs = 1_500;
/** Beyond it a transfer is a failed one. */
const transferMsMax = 180_000;
/** Of transfers that outlive a rollout: so much at the usual pace, and from then on hardly anything until all are let go. */
const outlivingSteps = 100;
const outlivingStepMs = 1_000;
const outlivingMsMax = 900_000;

export class SlowTransfers {
  readonly #outlive: boolean;
  #stopsSeen = 0;
  #lastStopMs = 0;
  #stopping = false;
  readonly #loops: Promise<void>[] = [];

  /** `outlive`: no transfer ends before `stop`. */
  constructor({ outlive }: { outlive: boolean }) {
    this.#outlive = outlive;
  }

  /** Each actor carries one transfer at a time; actors take turns as uploader and downloader. */
  start(actors: readonly Actor[]): void {
    for (const [index, actor] of actors.entries())
      this.#loops.push(index % 2 === 0 ? this.#uploads(actor) : this.#downloads(actor));
  }

  get #transferMsMax(): number {
    return this.#outlive ? outlivingMsMax : transferMsMax;
  }

  /** To be called when a node begins to leave. */
  nodeStops(): void {
    this.#stopsSeen++;
    this.#lastStopMs = performance.now();
  }

  /** Lets all go, and resolves when they are done. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#loops);
  }

  /** Waits before each piece of a transfer that began at `stopsAtStart`. */
  #pace(): () => Promise<void> {
    const stopsAtStart = this.#stopsSeen;
    let steps = 0;
    return async () => {
      if (this.#outlive && ++steps > outlivingSteps) {
        for (let ms = 0; ms < outlivingStepMs && !this.#stopping; ms += stepMs) await sleep(stepMs);
        return;
      }
      const crossed = this.#stopsSeen > stopsAtStart && performance.now() - this.#lastStopMs > holdMs;
      if (!this.#stopping) await sleep(crossed ? letGoStepMs : stepMs);
    };
  }

  async #uploads(actor: Actor): Promise<void> {
    while (!this.#stopping) {
      const own = await createOwn(actor, "create");
      const content = rawContent(actor.seed, `slow-${own?.id}`, uploadBytes);
      const body = paced(contentStream(content, { chunkBytes: uploadStepBytes }), this.#pace());
      if (
        !own ||
        !(await putData(actor, own, { kind: "slow upload", content, body, timeoutMs: this.#transferMsMax }))
      ) {
        await sleep(stepMs);
        continue;
      }
      await this.#forgetOldest(actor);
    }
  }

  /** Keeps the newest two for the comparison at the end. */
  async #forgetOldest(actor: Actor): Promise<void> {
    const oldest: OwnImage | undefined = actor.own.length > 2 ? actor.own.shift() : undefined;
    if (!oldest) return;
    const path = `/v2/images/${oldest.id}`;
    const token = memberToken(actor.project);
    await actor.client.call({ kind: "delete", method: "DELETE", path, token, expect: [204] });
  }

  async #downloads(actor: Actor): Promise<void> {
    // The largest one, so that buffers on the way do not swallow what is still to be sent.
    const [sample] = actor.samples
      .filter((candidate) => visibleTo(candidate, actor.project))
      .sort((one, other) => other.content.sizeBytes - one.content.sizeBytes);
    while (!this.#stopping && sample) {
      const pace = this.#pace();
      if (!(await getData(actor, sample, { kind: "slow download", pace, timeoutMs: this.#transferMsMax })))
        await sleep(stepMs);
    }
  }
}

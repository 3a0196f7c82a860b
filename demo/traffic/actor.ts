// One client of the traffic: a project's user with a connection and images of its own, among samples that everybody reads.
import type { ImageContent, SampleImage } from "../images.ts";
import type { HttpClient } from "./http-client.ts";

export type LoadedSample = SampleImage & { readonly id: string; readonly md5: string };

/** An image that only its actor changes, so that every answer about it can be foretold. */
export type OwnImage = {
  readonly id: string;
  name: string;
  visibility: "public" | "other";
  readonly tags: Set<string>;
  readonly properties: Map<string, string>;
  /** Set once its data is uploaded. */
  data?: { readonly content: ImageContent; readonly md5: string };
};

export type Actor = {
  readonly client: HttpClient;
  readonly project: string;
  readonly otherProject: string;
  readonly samples: readonly LoadedSample[];
  readonly own: OwnImage[];
  readonly seed: number;
  /** From 0 up to, not including, 1; follows from the seed. */
  random(): number;
};

/** A kind of traffic: how often it is chosen, and one turn of it. A turn ends early when a request of it failed. */
export type Kind = {
  readonly name: string;
  readonly weight: number;
  /** Whether the actor has what a turn needs. */
  ready(actor: Actor): boolean;
  run(actor: Actor): Promise<void>;
};

export const ownImagesMax = 10;

/** After a change that failed nobody knows what the image is; nothing is foretold about it any more. */
export function forget(actor: Actor, own: OwnImage): void {
  const index = actor.own.indexOf(own);
  if (index >= 0) actor.own.splice(index, 1);
}

/** Flavor fakeauth's token of a member of `project`. */
export function memberToken(project: string): string {
  return `user-${project}:${project}:member`;
}

export const adminToken = "operator:operations:admin";

/** One of `items`; undefined where there is none. */
export function pick<T>(actor: Actor, items: readonly T[]): T | undefined {
  return items[Math.floor(actor.random() * items.length)];
}

export function visibleTo(sample: LoadedSample, project: string): boolean {
  return sample.visibility === "public" || sample.project === project || sample.members.includes(project);
}

/** Public ones, one's own, and those one has accepted: the first member of a sample accepts, the others do not. */
export function listedFor(sample: LoadedSample, project: string): boolean {
  return sample.visibility === "public" || sample.project === project || sample.members[0] === project;
}

/** A small generator (mulberry32) that gives the same numbers for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

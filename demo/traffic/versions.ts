// Asking for the API's versions: what a client has seen announced as current must never become less.
import type { Kind } from "./actor.ts";
import type { Answer } from "./http-client.ts";

const highestSeen = new WeakMap<object, number>();

export type AnnouncedVersion = { readonly id: string; readonly status: string };

/** In the order of the answer. */
export function announcedVersions(answer: Answer): readonly AnnouncedVersion[] {
  return (JSON.parse(answer.body) as { versions: readonly AnnouncedVersion[] }).versions;
}

/** The minor number of the CURRENT version; throws where none is announced. */
function announcedMinor(answer: Answer): number {
  const current = announcedVersions(answer)
    .find((version) => version.status === "CURRENT")
    ?.id.match(/^v2\.(\d+)$/)?.[1];
  if (current === undefined) throw new Error("no version of v2 is announced as CURRENT");
  return Number(current);
}

export const versions: Kind = {
  name: "versions",
  weight: 5,
  ready: () => true,
  async run(actor) {
    await actor.client.call({
      kind: "versions",
      method: "GET",
      path: "/versions",
      expect: [200],
      check: (answer) => {
        const minor = announcedMinor(answer);
        const highest = highestSeen.get(actor.client) ?? 0;
        highestSeen.set(actor.client, Math.max(minor, highest));
        return minor < highest ? `v2.${minor} is announced after v2.${highest}` : undefined;
      },
    });
  },
};

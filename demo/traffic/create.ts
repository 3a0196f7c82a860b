// Creating images, without data for a start; all of an actor's other work happens on these.
import { type Actor, type Kind, memberToken, type OwnImage, ownImagesMax } from "./actor.ts";
import { ownWrong, parseImage } from "./image-json.ts";

export const create: Kind = {
  name: "create",
  weight: 8,
  ready: (actor) => actor.own.length < ownImagesMax,
  async run(actor) {
    await createOwn(actor, "create");
  },
};

/** A new image of the actor's; undefined where that failed, which is recorded. */
export async function createOwn(actor: Actor, kind: string, format = "raw"): Promise<OwnImage | undefined> {
  const name = `${actor.project}-${Math.floor(actor.random() * 1e9).toString(36)}`;
  const properties = new Map([["purpose", `traffic ${Math.floor(actor.random() * 100)}`]]);
  let own: OwnImage | undefined;
  const answer = await actor.client.call({
    kind,
    method: "POST",
    path: "/v2/images",
    token: memberToken(actor.project),
    json: {
      name,
      disk_format: format,
      container_format: "bare",
      tags: ["traffic"],
      ...Object.fromEntries(properties),
    },
    expect: [201],
    check: (made) => {
      const image = parseImage(made);
      own = { id: image.id, name, visibility: "other", tags: new Set(["traffic"]), properties };
      return ownWrong(image, own);
    },
  });
  if (!answer || !own) return undefined;
  actor.own.push(own);
  return own;
}

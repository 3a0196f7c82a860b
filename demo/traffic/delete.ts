// Deleting: what was deleted through one node is gone for all, and its data cannot be had any more.
import { type Kind, memberToken, ownImagesMax } from "./actor.ts";

export const remove: Kind = {
  name: "delete",
  weight: 9,
  ready: (actor) => actor.own.length > ownImagesMax / 2,
  async run(actor) {
    const [own] = actor.own.splice(Math.floor(actor.random() * actor.own.length), 1);
    if (!own) return;
    const path = `/v2/images/${own.id}`;
    const token = memberToken(actor.project);
    if (!(await actor.client.call({ kind: "delete", method: "DELETE", path, token, expect: [204] }))) return;
    const after = actor.random() < 0.5 ? path : `${path}/file`;
    await actor.client.call({ kind: "show", method: "GET", path: after, token, expect: [404] });
  },
};

// Tagging: a tag set through one node must be seen through all of them, and go when it is taken away.
import { forget, type Kind, memberToken, pick } from "./actor.ts";
import { ownWrong, parseImage } from "./image-json.ts";

export const tags: Kind = {
  name: "tags",
  weight: 6,
  ready: (actor) => actor.own.length > 0,
  async run(actor) {
    const own = pick(actor, actor.own);
    if (!own) return;
    const token = memberToken(actor.project);
    const tag = `tag-${Math.floor(actor.random() * 6)}`;
    const removes = own.tags.has(tag);
    const method = removes ? "DELETE" : "PUT";
    const path = `/v2/images/${own.id}`;
    const done = await actor.client.call({ kind: "tags", method, path: `${path}/tags/${tag}`, token, expect: [204] });
    if (!done) {
      forget(actor, own);
      return;
    }
    if (removes) own.tags.delete(tag);
    else own.tags.add(tag);
    const check = {
      expect: [200],
      check: (answer: Parameters<typeof parseImage>[0]) => ownWrong(parseImage(answer), own),
    };
    await actor.client.call({ kind: "show", method: "GET", path, token, ...check });
  },
};

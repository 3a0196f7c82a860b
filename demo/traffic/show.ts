// Showing images: samples and one's own must be exactly as they were made, and those of others must stay hidden.
import { type Actor, type Kind, memberToken, pick, visibleTo } from "./actor.ts";
import { ownWrong, parseImage, sampleWrong } from "./image-json.ts";

export const show: Kind = {
  name: "show",
  weight: 30,
  ready: () => true,
  async run(actor) {
    const own = actor.random() < 0.4 ? pick(actor, actor.own) : undefined;
    if (own) {
      await actor.client.call({
        ...call(actor, own.id),
        expect: [200],
        check: (answer) => ownWrong(parseImage(answer), own),
      });
      return;
    }
    const sample = pick(actor, actor.samples);
    if (!sample) return;
    const visible = visibleTo(sample, actor.project);
    await actor.client.call({
      ...call(actor, sample.id),
      expect: [visible ? 200 : 404],
      check: (answer) => (visible ? sampleWrong(parseImage(answer), sample) : undefined),
    });
  },
};

function call(actor: Actor, id: string) {
  return { kind: "show", method: "GET", path: `/v2/images/${id}`, token: memberToken(actor.project) };
}

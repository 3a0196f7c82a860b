// Changing images: names and properties by their owner in both patch dialects, and visibility by an operator, which is what old
// and new nodes store in different columns.
import { adminToken, forget, type Kind, memberToken, pick } from "./actor.ts";
import { ownWrong, parseImage } from "./image-json.ts";

const mediaType = (minor: number) => `application/openstack-images-v2.${minor}-json-patch`;

export const patch: Kind = {
  name: "patch",
  weight: 12,
  ready: (actor) => actor.own.length > 0,
  async run(actor) {
    const own = pick(actor, actor.own);
    if (!own) return;
    const value = `value ${Math.floor(actor.random() * 1e6)}`;
    const old = actor.random() < 0.3;
    own.name = `${own.name.split(" ")[0]} ${Math.floor(actor.random() * 1e6)}`;
    const adds = !own.properties.has("changed");
    own.properties.set("changed", value);
    const verb = adds ? "add" : "replace";
    const answer = await actor.client.call({
      kind: "patch",
      method: "PATCH",
      path: `/v2/images/${own.id}`,
      token: memberToken(actor.project),
      headers: { "Content-Type": mediaType(old ? 0 : 1) },
      json: old
        ? [
            { replace: "/name", value: own.name },
            { [verb]: "/changed", value },
          ]
        : [
            { op: "replace", path: "/name", value: own.name },
            { op: verb, path: "/changed", value },
          ],
      expect: [200],
      check: (patched) => ownWrong(parseImage(patched), own),
    });
    if (!answer) forget(actor, own);
  },
};

export const publish: Kind = {
  name: "patch visibility",
  weight: 4,
  ready: (actor) => actor.own.length > 0,
  async run(actor) {
    const own = pick(actor, actor.own);
    if (!own) return;
    own.visibility = own.visibility === "public" ? "other" : "public";
    const answer = await actor.client.call({
      kind: "patch visibility",
      method: "PATCH",
      path: `/v2/images/${own.id}`,
      token: adminToken,
      headers: { "Content-Type": mediaType(1) },
      json: [{ op: "replace", path: "/visibility", value: own.visibility === "public" ? "public" : "private" }],
      expect: [200],
      check: (patched) => ownWrong(parseImage(patched), own),
    });
    if (!answer) forget(actor, own);
  },
};

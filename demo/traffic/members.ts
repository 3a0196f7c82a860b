// Sharing: a new image is offered to another project, which accepts it, sees it and is sent away again. The image is shared right
// after its creation, since what is private may be shared at Newton but no longer at Ocata: that is the API's change, not ours.
import { type Kind, memberToken, ownImagesMax } from "./actor.ts";
import { createOwn } from "./create.ts";
import type { Answer, Call } from "./http-client.ts";
import { ownWrong, parseImage, parseList } from "./image-json.ts";

export const members: Kind = {
  name: "members",
  weight: 3,
  ready: (actor) => actor.own.length < ownImagesMax,
  async run(actor) {
    const own = await createOwn(actor, "create");
    if (!own) return;
    const [owner, member] = [memberToken(actor.project), memberToken(actor.otherProject)];
    const image = `/v2/images/${own.id}`;
    const path = `${image}/members/${actor.otherProject}`;
    const statusIs = (status: string) => (answer: Answer) => memberWrong(answer, own.id, actor.otherProject, status);
    const steps: readonly Omit<Call, "kind">[] = [
      { method: "GET", path: image, token: member, expect: [404] },
      {
        method: "POST",
        path: `${image}/members`,
        token: owner,
        json: { member: actor.otherProject },
        expect: [200],
        check: statusIs("pending"),
      },
      {
        method: "GET",
        path: image,
        token: member,
        expect: [200],
        check: (answer) => ownWrong(parseImage(answer), own),
      },
      {
        method: "PUT",
        path,
        token: member,
        json: { status: "accepted" },
        expect: [200],
        check: statusIs("accepted"),
      },
      {
        method: "GET",
        path: "/v2/images?visibility=shared&limit=100",
        token: member,
        expect: [200],
        check: (answer) =>
          parseList(answer).images.some((listed) => listed.id === own.id) ? undefined : `${own.id} is not listed`,
      },
      { method: "GET", path, token: owner, expect: [200], check: statusIs("accepted") },
      { method: "DELETE", path, token: owner, expect: [204] },
      { method: "GET", path: image, token: member, expect: [404] },
    ];
    for (const step of steps) if (!(await actor.client.call({ kind: "members", ...step }))) return;
  },
};

function memberWrong(answer: Answer, image: string, project: string, status: string): string | undefined {
  const found = JSON.parse(answer.body) as { image_id: string; member_id: string; status: string };
  const right = found.image_id === image && found.member_id === project && found.status === status;
  return right ? undefined : `the member is ${answer.body}, expected ${project} ${status}`;
}

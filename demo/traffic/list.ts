// Lists: a page with and without filters, and now and then the whole list page by page, in which no sample may be missing,
// doubled, or seen by whom it is hidden from.
import { type Actor, type Kind, listedFor, memberToken, pick } from "./actor.ts";
import type { Answer } from "./http-client.ts";
import { type ImageJson, parseList, sampleWrong } from "./image-json.ts";

const queries = [
  "limit=25",
  "limit=10&sort=name:asc",
  "limit=10&sort_key=size&sort_dir=desc",
  "limit=20&status=active",
  "limit=20&visibility=public",
  "limit=10&tag=golden",
  "limit=10&os_distro=debian",
  "limit=10&disk_format=qcow2&size_min=1000",
];

export const list: Kind = {
  name: "list",
  weight: 14,
  ready: () => true,
  async run(actor) {
    await page(actor, "list", `/v2/images?${pick(actor, queries)}`);
  },
};

const pagesMax = 200;
/** A walk whose marker goes each time would tell of a marker refused without reason. */
const walksMax = 4;

export const listAll: Kind = {
  name: "list all pages",
  weight: 1,
  ready: () => true,
  async run(actor) {
    let seen: ReadonlyMap<string, number> | "marker gone" | undefined = "marker gone";
    for (let walk = 1; seen === "marker gone"; walk++) seen = await walkPages(actor, { last: walk === walksMax });
    if (!seen) return;
    const found = seen;
    // The pages came one by one; what they hold together is judged as one more request's answer.
    await actor.client.call({
      kind: this.name,
      method: "GET",
      path: "/v2/images?limit=1",
      token: memberToken(actor.project),
      expect: [200],
      check: () => completeWrong(actor, found),
    });
  },
};

/**
 * How often each image stood in all pages. "marker gone": the image that a page ended with was deleted or hidden by its owner before the
 * next page was asked for, to which the API's answer is 400, and a client begins anew. Undefined after a failed request.
 */
async function walkPages(actor: Actor, { last }: { last: boolean }) {
  const seen = new Map<string, number>();
  let path: string | undefined = "/v2/images?limit=50";
  for (let pages = 0; path !== undefined; pages++) {
    const answer: Answer | undefined = await page(actor, listAll.name, path, pages === 0 || last ? [200] : [200, 400]);
    if (answer?.status === 400) return "marker gone" as const;
    if (!answer || pages === pagesMax) return undefined;
    const found = parseList(answer);
    for (const image of found.images) seen.set(image.id, (seen.get(image.id) ?? 0) + 1);
    path = found.next;
  }
  return seen;
}

function completeWrong(actor: Actor, seen: ReadonlyMap<string, number>): string | undefined {
  for (const sample of actor.samples) {
    const times = seen.get(sample.id) ?? 0;
    const expected = listedFor(sample, actor.project) ? 1 : 0;
    if (times !== expected) return `${sample.name} stood ${times} times in all pages together, expected ${expected}`;
  }
  return undefined;
}

function page(actor: Actor, kind: string, path: string, expect: readonly number[] = [200]) {
  return actor.client.call({
    kind,
    method: "GET",
    path,
    token: memberToken(actor.project),
    expect,
    check: (found) => (found.status === 200 ? pageWrong(actor, parseList(found).images) : undefined),
  });
}

function pageWrong(actor: Actor, images: readonly ImageJson[]): string | undefined {
  for (const image of images) {
    const sample = actor.samples.find((candidate) => candidate.id === image.id);
    if (sample && !listedFor(sample, actor.project)) return `${sample.name} is listed for ${actor.project}`;
    const wrong = sample && sampleWrong(image, sample);
    if (wrong) return `${sample.name} in the list: ${wrong}`;
  }
  return undefined;
}

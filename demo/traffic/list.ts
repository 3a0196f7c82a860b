// Lists: a page with and without filters, and now and then the whole list page by page, in which no sample may be missing,
// doubled, or seen by whom it is hidden from.
import { type Actor, type Kind, listedFor, memberToken, pick } from "./actor.ts";
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

export const listAll: Kind = {
  name: "list all pages",
  weight: 1,
  ready: () => true,
  async run(actor) {
    const seen = new Map<string, number>();
    let path: string | undefined = "/v2/images?limit=50";
    for (let pages = 0; path !== undefined; pages++) {
      const found: { images: readonly ImageJson[]; next?: string } | undefined = await page(actor, this.name, path);
      if (!found || pages === pagesMax) return;
      for (const image of found.images) seen.set(image.id, (seen.get(image.id) ?? 0) + 1);
      path = found.next;
    }
    // The pages came one by one; what they hold together is judged as one more request's answer.
    await actor.client.call({
      kind: this.name,
      method: "GET",
      path: "/v2/images?limit=1",
      token: memberToken(actor.project),
      expect: [200],
      check: () => completeWrong(actor, seen),
    });
  },
};

function completeWrong(actor: Actor, seen: ReadonlyMap<string, number>): string | undefined {
  for (const sample of actor.samples) {
    const times = seen.get(sample.id) ?? 0;
    const expected = listedFor(sample, actor.project) ? 1 : 0;
    if (times !== expected) return `${sample.name} stood ${times} times in all pages together, expected ${expected}`;
  }
  return undefined;
}

async function page(actor: Actor, kind: string, path: string) {
  const answer = await actor.client.call({
    kind,
    method: "GET",
    path,
    token: memberToken(actor.project),
    expect: [200],
    check: (found) => pageWrong(actor, parseList(found).images),
  });
  return answer && parseList(answer);
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

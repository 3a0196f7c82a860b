// Claim: a list page costs the same at 1,000 and at 1,000,000 images, within 20 %: the first one, one deep in the list, and that of
// a project which owns a single image among all. Reference: 56 requests/s at 1,000 images, 0.7 at 100,000.
import { memberToken } from "../demo/traffic/actor.ts";
import type { Bench, Figure } from "./bench.ts";
import { fill, loneProject, someProject } from "./fill.ts";
import { type LoadResult, load } from "./load.ts";
import { startSubject } from "./subject.ts";

const rounds = 3;
const pages = [
  { what: "first page", project: someProject, deep: false },
  { what: "page in the middle of the list", project: someProject, deep: true },
  { what: "list of a project with one image", project: loneProject, deep: false },
] as const;

export const pageCost: Bench = {
  name: "page-cost",
  summary: "list pages of 25 at 1,000 and at 1,000,000 images, one worker",
  async run({ scale, progress }) {
    const sizes = [1_000, Math.max(10_000, Math.round(1_000_000 * scale))] as const;
    const subject = await startSubject();
    try {
      const origins: string[] = [];
      for (const images of sizes) {
        const database = await subject.createDatabase("ocata");
        progress(`filling ${images} images`);
        await fill({ connection: database.connection, images, release: "ocata", children: true });
        origins.push((await database.startNode()).origin);
      }
      const [small = "", large = ""] = origins;
      const figures: Figure[] = [];
      for (const page of pages) {
        progress(page.what);
        const [few, many] = await both(page, small, large);
        figures.push(
          { what: `${page.what}, ${sizes[0]} images`, value: few.perSecond, unit: "requests/s" },
          { what: `${page.what}, ${sizes[1]} images`, value: many.perSecond, unit: "requests/s" },
          {
            what: `${page.what}: large against small`,
            value: many.perSecond / few.perSecond,
            unit: "ratio",
            bound: { atLeast: 0.8 },
          },
          {
            what: `${page.what}: answers other than 200`,
            value: few.errors + many.errors,
            unit: "",
            bound: { atMost: 0 },
          },
        );
      }
      return figures;
    } finally {
      await subject.stop();
    }
  },
};

/** In turns, the better of some rounds each: what disturbs the machine only makes things slower. */
async function both(page: (typeof pages)[number], small: string, large: string): Promise<[LoadResult, LoadResult]> {
  const headers = { "X-Auth-Token": memberToken(page.project) };
  const best: (LoadResult | undefined)[] = [];
  const paths = await Promise.all([small, large].map((origin) => pathOf(page, origin, headers)));
  for (let round = 0; round < rounds; round++)
    for (const [index, origin] of [small, large].entries()) {
      const options = { origin, headers, connections: 8, seconds: 3, paths: [paths[index] ?? ""] };
      const result = await load(options);
      if (result.perSecond > (best[index]?.perSecond ?? 0)) best[index] = result;
    }
  const [few, many] = best;
  if (!few || !many) throw new Error("no answers at all");
  return [few, many];
}

/** The first page, or one whose marker stands in the middle of what the project sees. */
async function pathOf(page: (typeof pages)[number], origin: string, headers: Record<string, string>): Promise<string> {
  if (!page.deep) return "/v2/images?limit=25";
  const first = async (query: string) => {
    const response = await fetch(`${origin}/v2/images?limit=1&${query}`, { headers });
    const { images } = (await response.json()) as { images: { id: string; created_at: string }[] };
    if (!images[0]) throw new Error(`no image at ${query}`);
    return images[0];
  };
  // Images were created a second apart, so the middle of their times is the middle of the list.
  const [oldest, newest] = [await first("sort=created_at:asc"), await first("sort=created_at:desc")];
  const middle = new Date((Date.parse(oldest.created_at) + Date.parse(newest.created_at)) / 2);
  const marker = await first(`created_at=lte:${middle.toISOString().slice(0, 19)}Z`);
  return `/v2/images?limit=25&marker=${marker.id}`;
}

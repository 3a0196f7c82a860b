// Claim: on the same machine, database server and number of workers (one), against Debian's glance-api: a list of 25 at 12 times the requests/s
// with 1,000 images and 500 times with 100,000, however many of them the caller sees, show and create at 8 times, an upload with MD5 and SHA-512 at
// 1.8 times, a download no slower, and at 0.8 or better of nginx with the same file; a copy between two stores takes 1.2 times what the store takes
// alone at most; and no worker has more than 250 MB resident.
import { adminToken, memberToken } from "../demo/traffic/actor.ts";
import { StopStack } from "../src/core/lifecycle.ts";
import { makeGlanceSite } from "../test/servers/glance.ts";
import { startMariadb } from "../test/servers/mariadb.ts";
import type { Bench, Figure } from "./bench.ts";
import { requireFileServer } from "./file-server.ts";
import { fill, makeAllPublic, sampleIds, settle, someProject } from "./fill.ts";
import { compare, type LoadOptions, type LoadResult } from "./load.ts";
import { type ReferencePair, startReferencePair } from "./reference-pair.ts";
import { transfersAgainstReference } from "./reference-transfers.ts";
import { storeCopy } from "./store-copy.ts";

const rounds = 3;
const listPath = "/v2/images?limit=25";
const load = { headers: { "X-Auth-Token": memberToken(someProject) }, connections: 4, seconds: 4 };
const newImage = JSON.stringify({ name: "bench", disk_format: "raw", container_format: "bare" });

export const againstReference: Bench = {
  name: "against-reference",
  summary: "requests and transfers against Debian's glance-api, one worker each, in turn",
  async run({ scale, progress }) {
    requireFileServer();
    const stops = new StopStack();
    try {
      const site = makeGlanceSite();
      stops.defer(() => site.stop());
      const mariadb = await startMariadb({ shared: false, bufferPoolMb: 2_048 });
      stops.defer(() => mariadb.stop());
      const filled = async (images: number) => {
        progress(`filling ${images} images`);
        const connection = await mariadb.createDatabase();
        const pair = await startReferencePair(site, { name: `p${images}`, database: connection }, () =>
          fill({ connection, images, release: "ocata", children: true }),
        );
        return { pair, connection };
      };
      const bytes = Math.round(1_073_741_824 * scale);
      const few = await filled(1_000);
      const figures = [...(await requests(few, 1_000, progress))];
      figures.push(...(await transfersAgainstReference({ pair: few.pair, images: site.images, bytes, progress })));
      const images = Math.max(2, Math.round(100 * scale)) * 1_000;
      figures.push(...(await listsOfMany(await filled(images), images, progress)));
      progress("copy between stores");
      figures.push(...(await storeCopy({ site, database: await mariadb.createDatabase(), bytes, progress })));
      return figures;
    } finally {
      await stops.stop();
    }
  },
};

/** Both in turns, for as long each. */
async function measure(
  { ours, theirs }: ReferencePair,
  options: Pick<LoadOptions, "paths"> & Partial<Pick<LoadOptions, "headers" | "seconds" | "body" | "status">>,
): Promise<{ readonly ours: LoadResult; readonly theirs: LoadResult }> {
  const results = await compare({ ...load, ...options }, { ours: ours.origin, bare: theirs.origin }, rounds);
  return { ours: results.ours, theirs: results.bare };
}

type Measured = Awaited<ReturnType<typeof measure>>;

async function requests(
  { pair, connection }: { readonly pair: ReferencePair; readonly connection: string },
  images: number,
  progress: (text: string) => void,
): Promise<readonly Figure[]> {
  progress(`list with ${images} images`);
  await sameImages(pair, load.headers);
  const list = await measure(pair, { paths: [listPath] });
  // Public ones, which everybody may see: every twentieth.
  const ids = await sampleIds(connection, images, Math.floor(images / 20), 20);
  progress("show");
  const show = await measure(pair, { paths: ids.map((id) => `/v2/images/${id}`) });
  // Last: the table grows by it.
  progress("create");
  const create = await measure(pair, { paths: ["/v2/images"], body: newImage, status: 201 });
  return [
    ...figuresOf(`list of 25 of ${images}`, list, 12),
    ...figuresOf("show", show, 8),
    ...figuresOf("create", create, 8),
  ];
}

/** How much the reference reads for a list depends on how many images the caller may see, and on how it finds that out. */
async function listsOfMany(
  { pair, connection }: { readonly pair: ReferencePair; readonly connection: string },
  images: number,
  progress: (text: string) => void,
): Promise<readonly Figure[]> {
  const list = async (seen: string, token: string) => {
    progress(`list with ${images} images, ${seen}`);
    const headers = { "X-Auth-Token": token };
    await sameImages(pair, headers);
    // The reference takes a second and more for one.
    const measured = await measure(pair, { paths: [listPath], headers, seconds: 12 });
    return figuresOf(`list of 25 of ${images}, ${seen}`, measured, 500);
  };
  const figures = [
    ...(await list("a tenth of them seen", memberToken(someProject))),
    ...(await list("nearly all seen, by an admin", adminToken)),
  ];
  await makeAllPublic(connection);
  await settle(connection);
  return [...figures, ...(await list("all public", memberToken(someProject)))];
}

function figuresOf(what: string, { ours, theirs }: Measured, atLeast: number): readonly Figure[] {
  return [
    { what, value: ours.perSecond, unit: "requests/s" },
    { what: `${what}, p99`, value: ours.p99Ms, unit: "ms" },
    { what: `${what}, reference`, value: theirs.perSecond, unit: "requests/s" },
    { what: `${what}, reference's ${theirs.requests < 100 ? "slowest" : "p99"}`, value: theirs.p99Ms, unit: "ms" },
    {
      what: `${what} against the reference`,
      value: ours.perSecond / theirs.perSecond,
      unit: "ratio",
      bound: { atLeast },
    },
    { what: `${what}, other answers`, value: ours.errors + theirs.errors, unit: "", bound: { atMost: 0 } },
  ];
}

/** A comparison of speeds says something only where both return the same. */
async function sameImages({ ours, theirs }: ReferencePair, headers: LoadOptions["headers"]): Promise<void> {
  const [one, other] = await Promise.all(
    [ours, theirs].map(async ({ origin }) => {
      const response = await fetch(`${origin}${listPath}`, { headers });
      const { images } = (await response.json()) as { images?: readonly Readonly<Record<string, unknown>>[] };
      return (images ?? []).map((image) => `${image.id} ${Object.keys(image).toSorted().join(",")}`);
    }),
  );
  if (one?.length !== 25 || one.join("\n") !== other?.join("\n"))
    throw new Error(`not the same images:\n${one?.slice(0, 3).join("\n")}\n${other?.slice(0, 3).join("\n")}`);
}

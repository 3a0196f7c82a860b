// Claim: with 100,000 images in MariaDB a worker answers list pages and shows at 0.8 or better of the rate of a bare handler that
// issues the fewest hand-written statements and returns the same documents. Reference: list 0.7 requests/s, show 250.

import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { startDetached } from "../demo/processes.ts";
import { memberToken } from "../demo/traffic/actor.ts";
import { eventually } from "../test/servers/eventually.ts";
import { freePort } from "../test/servers/free-port.ts";
import type { Bench } from "./bench.ts";
import { fill, sampleIds, someProject } from "./fill.ts";
import { compare } from "./load.ts";
import { startSubject } from "./subject.ts";

const headers = { "X-Auth-Token": memberToken(someProject) };
const load = { headers, connections: 8, seconds: 4 };
const rounds = 3;

export const listShow: Bench = {
  name: "list-show",
  summary: "list of 25 and show with 100,000 images, one worker, against a bare handler on the same database",
  async run({ scale, progress }) {
    const images = Math.round(100_000 * scale);
    const subject = await startSubject();
    try {
      const database = await subject.createDatabase("ocata");
      progress(`filling ${images} images`);
      await fill({ connection: database.connection, images, release: "ocata", children: true });
      const { origin: ours } = await database.startNode();
      const bare = await startBare(database.connection, subject.folder);
      const listPath = "/v2/images?limit=25";
      // Public ones, which everybody may see: every twentieth.
      const shows = (await sampleIds(database.connection, images, Math.floor(images / 20), 20)).map(
        (id) => `/v2/images/${id}`,
      );
      for (const path of [listPath, shows[0] ?? ""]) await sameDocuments(`${ours}${path}`, `${bare}${path}`);
      progress("list");
      const list = await compare({ ...load, paths: [listPath] }, { ours, bare }, rounds);
      progress("show");
      const show = await compare({ ...load, paths: shows }, { ours, bare }, rounds);
      return [
        { what: "list of 25", value: list.ours.perSecond, unit: "requests/s" },
        { what: "list of 25, bare handler", value: list.bare.perSecond, unit: "requests/s" },
        ratio("list against the bare handler", list.ours.perSecond, list.bare.perSecond),
        { what: "list p99", value: list.ours.p99Ms, unit: "ms" },
        { what: "show", value: show.ours.perSecond, unit: "requests/s" },
        { what: "show, bare handler", value: show.bare.perSecond, unit: "requests/s" },
        ratio("show against the bare handler", show.ours.perSecond, show.bare.perSecond),
        { what: "show p99", value: show.ours.p99Ms, unit: "ms" },
        { what: "answers other than 200", value: list.ours.errors + show.ours.errors, unit: "", bound: { atMost: 0 } },
      ];
    } finally {
      await subject.stop();
    }
  },
};

function ratio(what: string, ours: number, bare: number) {
  return { what, value: ours / bare, unit: "ratio", bound: { atLeast: 0.8 } };
}

async function startBare(connection: string, folder: string): Promise<string> {
  const port = await freePort();
  const script = fileURLToPath(new URL("bare/list-server.ts", import.meta.url));
  // The folder is named so that its guard ends this process with the others.
  const command = [process.execPath, script, connection, String(port), someProject, folder];
  startDetached(command, { logFile: `${folder}/bare.log`, cwd: folder });
  const origin = `http://127.0.0.1:${port}`;
  await eventually("the bare handler answers", async () => (await fetch(`${origin}/v2/images`)).ok);
  return origin;
}

/** A comparison of speeds says something only where both return the same. */
async function sameDocuments(ours: string, bare: string): Promise<void> {
  const [one, other] = await Promise.all([ours, bare].map(async (url) => (await fetch(url, { headers })).json()));
  if (!isDeepStrictEqual(one, other))
    throw new Error(
      `not the same documents: ${JSON.stringify(one).slice(0, 800)}\n${JSON.stringify(other).slice(0, 800)}`,
    );
}

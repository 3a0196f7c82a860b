// The reference's node and ours on one database, store and configuration, a worker each, to be measured in turn.
import { dirname } from "node:path";
import { binary, finish } from "../demo/processes.ts";
import { type GlanceSections, type GlanceSite, setUpGlance, startGlance } from "../test/servers/glance.ts";
import { childOf, startNode } from "./subject.ts";

export type MeasuredNode = { readonly origin: string; readonly workerPid: number };
export type ReferencePair = { readonly ours: MeasuredNode; readonly theirs: MeasuredNode };

/** The release of Debian's package. */
const release = "zed";

type PairOptions = {
  /** Of the two, among those of one site. */
  readonly name: string;
  /** Of an empty database. */
  readonly database: string;
  readonly sections?: GlanceSections;
};

/** `prepare` is called between making the tables and starting the nodes. They end with the site. */
export async function startReferencePair(
  site: GlanceSite,
  options: PairOptions,
  prepare: () => Promise<void> = async () => undefined,
): Promise<ReferencePair> {
  const { ours, theirs } = await setUp(site, options);
  await prepare();
  const glance = await startGlance(theirs);
  const workerPid = childOf(glance.pid);
  if (workerPid === undefined) throw new Error("the reference's node has no worker");
  return { ours: await start(ours), theirs: { origin: glance.url, workerPid } };
}

/** Our node alone, set up as one of a pair. */
export async function startOurs(site: GlanceSite, options: PairOptions): Promise<MeasuredNode> {
  return start((await setUp(site, options)).ours);
}

async function setUp(site: GlanceSite, { name, database, sections = {} }: PairOptions) {
  const common = { ...sections, perennial: { release } };
  const one = (kind: string) =>
    setUpGlance(site, { name: `${name}-${kind}`, database, sections: common, flavor: "fakeauth" });
  const [ours, theirs] = [await one("ours"), await one("theirs")];
  const made = await finish([...binary("glance-manage"), "--config-file", ours.config, "db", "sync", "--to", release], {
    msMax: 600_000,
  });
  if (made.code !== 0) throw new Error(`db sync failed: ${made.stderr}`);
  return { ours, theirs };
}

function start({ config, port }: { readonly config: string; readonly port: number }): Promise<MeasuredNode> {
  return startNode(config, { address: `127.0.0.1:${port}`, folder: dirname(config) });
}

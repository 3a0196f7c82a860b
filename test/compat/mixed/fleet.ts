// A fleet of both kinds: the reference's node and ours, as release Zed, on one database, store, staging folder and policy, each with the
// other's configuration but for its port. Tokens say who asks, and are believed.
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { binary, finish } from "../../../demo/processes.ts";
import { StopStack } from "../../../src/core/lifecycle.ts";
import { NodeProcess } from "../../node/node-process.ts";
import { type GlanceSections, makeGlanceSite, setUpGlance, startGlance } from "../../servers/glance.ts";

/** The two kinds of nodes. */
export const kinds = ["theirs", "ours"] as const;
export type Kind = (typeof kinds)[number];

export type MixedFleet = {
  readonly urls: Readonly<Record<Kind, string>>;
  readonly folder: string;
  /** Serves bytes for imports by URL: `${web}/NUMBER` is that many bytes (any query may follow), `/slow` waits to be released, anything else is 404. */
  readonly web: string;
  /** Lets all who wait for `/slow` have its 10 bytes. */
  releaseSlow(): void;
  /** What a node wrote, for failures. */
  output(kind: Kind): string;
  stop(): Promise<void>;
};

export type FleetOptions = {
  /** Of an empty database; the second is for our node, where the database has several faces. */
  readonly databases: Readonly<Record<Kind, string>>;
  /** Several stores by name (`fast`, `slow`), or one. */
  readonly stores: "one" | "several";
  readonly sections?: GlanceSections;
};

export async function startMixedFleet(options: FleetOptions): Promise<MixedFleet> {
  const stops = new StopStack();
  try {
    const site = makeGlanceSite();
    stops.defer(() => site.stop());
    // What a reader may not do, in an operator's own words, which both kinds read.
    const writers = ["add_image", "modify_image", "delete_image", "upload_image", "add_member", "deactivate"];
    writeFileSync(site.policy, writers.map((rule) => `"${rule}": "role:member or role:admin"\n`).join(""));
    const { web, releaseSlow } = await startWeb();
    stops.defer(async () => void web.close());
    const { port: webPort } = web.address() as AddressInfo;
    const sections = withCommon(storeSections(options.stores, site), options.sections);
    const setUp = (kind: Kind) =>
      setUpGlance(site, {
        name: kind,
        database: options.databases[kind],
        sections,
        flavor: "fakeauth+cachemanagement",
      });
    const [theirs, ours] = await Promise.all([setUp("theirs"), setUp("ours")]);
    const made = await finish([...binary("glance-manage"), "--config-file", ours.config, "db", "sync", "--to", "zed"]);
    if (made.code !== 0) throw new Error(`db sync: ${made.stderr}`);
    const node = new NodeProcess(ours.config, ours.port);
    stops.defer(async () => {
      node.signal("SIGKILL");
      await node.exited;
    });
    const [glance] = await Promise.all([startGlance(theirs), node.said(/"msg":"serving"/)]);
    return {
      urls: { theirs: theirs.url, ours: ours.url },
      folder: site.folder,
      releaseSlow,
      web: `http://127.0.0.1:${webPort}`,
      output: (kind) => (kind === "theirs" ? glance.output() : node.stderr.join("\n")).slice(-6_000),
      stop: () => stops.stop(),
    };
  } catch (error) {
    await stops.stop();
    throw error;
  }
}

/** What both read. Data is encrypted in the locations table, and shown, so that each has to understand what the other wrote there. */
function withCommon(own: GlanceSections, more: GlanceSections = {}): GlanceSections {
  const usual: GlanceSections = {
    DEFAULT: {
      show_image_direct_url: true,
      show_multiple_locations: true,
      metadata_encryption_key: "0123456789abcdef",
      image_property_quota: 12,
      image_tag_quota: 5,
      image_member_quota: 3,
      user_storage_quota: "3MB",
      image_size_cap: 1_000_000,
    },
    perennial: {
      release: "zed",
      drain_settle_seconds: 0.5,
      heartbeat_seconds: 0.5,
      http_store_near_hosts: "127.0.0.1",
    },
  };
  const names = new Set([...Object.keys(usual), ...Object.keys(own), ...Object.keys(more)]);
  return Object.fromEntries([...names].map((name) => [name, { ...usual[name], ...own[name], ...more[name] }]));
}

function storeSections(stores: FleetOptions["stores"], site: { folder: string; images: string; staging: string }) {
  if (stores === "one") return { glance_store: { stores: "file,http", filesystem_store_datadir: site.images } };
  const names = ["fast", "slow"];
  const places = names.map((name) => [name, { filesystem_store_datadir: join(site.folder, "stores", name) }] as const);
  for (const [, place] of places) mkdirSync(place.filesystem_store_datadir, { recursive: true });
  return {
    DEFAULT: { enabled_backends: "fast:file,slow:file,web:http" },
    glance_store: { default_backend: "fast" },
    os_glance_staging_store: { filesystem_store_datadir: site.staging },
    ...Object.fromEntries(places),
  };
}

/** Only what a test puts on loopback is fetched here. */
async function startWeb() {
  const waiting: (() => void)[] = [];
  const web = createServer((request, response) => {
    const send = (length: number) => {
      response.writeHead(200, { "content-length": length, "content-type": "application/octet-stream" });
      response.end(request.method === "HEAD" ? undefined : Buffer.alloc(length, `${length}`));
    };
    const bytes = /^\/(\d+)(\?|$)/.exec(request.url ?? "")?.[1];
    if (request.url === "/slow") waiting.push(() => send(10));
    else if (bytes === undefined) response.writeHead(404).end();
    else send(Number(bytes));
  }).listen(0, "127.0.0.1");
  web.unref();
  await once(web, "listening");
  return {
    web,
    releaseSlow: () => {
      for (const send of waiting.splice(0)) send();
    },
  };
}

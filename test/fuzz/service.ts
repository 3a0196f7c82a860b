// What is fuzzed: the real service as several releases at once, in this process, on one SQLite database that is at home in all of them, with
// stores, staging and cache in folders, and a web server that imports and locations lead to.
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { register } from "prom-client";
import type { Description } from "../../src/api/openapi/testing/contract.ts";
import { configuration } from "../../src/cli/wire-options.ts";
import { openSupervisorParts } from "../../src/cli/wire-supervisor.ts";
import { buildWorkerService } from "../../src/cli/wire-worker.ts";
import { type Config, loadConfig } from "../../src/core/config.ts";
import { StopStack } from "../../src/core/lifecycle.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { TransferTracker } from "../../src/core/transfers.ts";
import { openDatabase } from "../../src/db/connect.ts";
import type { Database } from "../../src/db/database.ts";
import { expand } from "../../src/db/schema/expand.ts";
import { migrate } from "../../src/db/schema/migrate.ts";
import { ensureOwnTables } from "../../src/db/schema/own-tables.ts";
import { sync } from "../../src/db/schema/sync.ts";
import { WorkerGate } from "../../src/node/worker-gate.ts";
import { newestRelease, oldestRelease, type ReleaseId, releaseOf } from "../../src/releases/catalogue.ts";

/** Releases that brought calls, parameters or policies, the oldest and the newest among them. */
export const fuzzedReleases = [
  oldestRelease.id,
  "ocata",
  "queens",
  "stein",
  "victoria",
  "yoga",
  "2024.1",
  newestRelease.id,
] as const satisfies readonly ReleaseId[];

export const imageBytesMax = 65_536;

export type FuzzedNode = {
  readonly release: ReleaseId;
  readonly port: number;
  readonly description: Description;
  readonly transfers: TransferTracker;
};

export type FuzzedService = AsyncDisposable & {
  readonly db: Database;
  readonly nodes: readonly FuzzedNode[];
  readonly folders: { readonly stores: readonly string[]; readonly staging: string };
  /** Where imports and locations can lead to, with and without luck. */
  readonly urls: readonly string[];
  /** What a node does about the past when it starts: nodes that know of no staging leave staged data of images they delete to that. */
  startAgain(): Promise<void>;
};

export async function startFuzzedService(): Promise<FuzzedService> {
  const stack = new StopStack();
  try {
    const folder = await mkdtemp(join(tmpdir(), "perennial-fuzz-"));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    const at = (name: string) => join(folder, name);
    for (const name of ["fast", "slow", "staging", "cache"]) await mkdir(at(name));
    const url = `sqlite:///${at("glance.sqlite")}`;
    const db = await openDatabase(url);
    stack.defer(() => db.close());
    await sync({ db, target: oldestRelease });
    await expand({ db, target: newestRelease });
    await migrate({ db, target: newestRelease });
    await ensureOwnTables(db);
    const web = await startWeb(stack);
    const nodes: FuzzedNode[] = [];
    for (const release of fuzzedReleases) nodes.push(await startNode(release, { at, url, stack }));
    return {
      db,
      nodes,
      folders: { stores: [at("fast"), at("slow")], staging: at("staging") },
      urls: [
        ...web,
        // More often than the others, that something comes of it.
        ...web.slice(0, 1),
        ...web.slice(0, 1),
        ...web.slice(0, 1),
        ...web.slice(0, 1),
        ...web.slice(0, 1),
        "http://127.0.0.1:1/",
        "http://localhost/",
        "http://[::1]/x",
        "ftp://a/b",
        "file:///etc/passwd",
        "",
      ],
      async startAgain() {
        const config = configOf(newestRelease.id, { at, url });
        const parts = await openSupervisorParts(config, { logger: silentLogger, nodeName: "again", patient: false });
        await parts.reclaimExpiredUploads();
        await parts.close();
      },
      [Symbol.asyncDispose]: () => stack.stop(),
    };
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

type Places = { readonly at: (name: string) => string; readonly url: string; readonly stack: StopStack };

function configOf(release: ReleaseId, { at, url }: Omit<Places, "stack">): Config {
  const several = releaseOf(release).capabilities.locationStoreKey !== null;
  const text = settings(release, several, at, url);
  return loadConfig({ files: [{ file: "glance-api.conf", text }], ...configuration });
}

async function startNode(release: ReleaseId, places: Places): Promise<FuzzedNode> {
  const { stack } = places;
  const config = configOf(release, places);
  const transfers = new TransferTracker();
  const gate = new WorkerGate({
    disabledByFile: () => false,
    metrics: async () => ({ contentType: "text/plain", body: "" }),
  });
  // Each node of this process would have metrics of the same names.
  register.clear();
  const service = await buildWorkerService({ config, gate, transfers, nodeName: release, logger: silentLogger });
  stack.defer(() => service.close());
  service.server.listen(0, "127.0.0.1");
  await once(service.server, "listening");
  stack.defer(() => void service.server.close().closeAllConnections());
  const { port } = service.server.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}/openapi.json`);
  return { release, port, description: (await response.json()) as Description, transfers };
}

function settings(release: ReleaseId, several: boolean, at: (name: string) => string, url: string): string {
  const stores = several ? "enabled_backends = fast:file,slow:file,web:http" : "";
  return `[DEFAULT]
${stores}
node_staging_uri = file://${at("staging")}
show_multiple_locations = true
image_size_cap = ${imageBytesMax}
image_tag_quota = 6
image_property_quota = 6
image_member_quota = 4
image_location_quota = 3
limit_param_default = 10
enable_image_import = true
http_retries = 0
image_cache_dir = ${at("cache")}
image_cache_driver = sqlite
[glance_store]
default_store = file
${several ? "default_backend = fast" : `filesystem_store_datadir = ${at("fast")}`}
[fast]
filesystem_store_datadir = ${at("fast")}
[slow]
filesystem_store_datadir = ${at("slow")}
[os_glance_staging_store]
filesystem_store_datadir = ${at("staging")}
[import_filtering_opts]
allowed_hosts = [127.0.0.1,localhost]
allowed_ports = []
[image_import_opts]
image_import_plugins = [image_decompression]
[database]
connection = ${url}
[paste_deploy]
flavor = fakeauth+cachemanagement
[perennial]
release = ${release}
http_store_near_hosts = 127.0.0.1
`;
}

/** Data of a web server: good, too much, packed, broken off, led astray, and none. */
async function startWeb(stack: StopStack): Promise<readonly string[]> {
  const bodies: Readonly<Record<string, Buffer>> = {
    "/data": Buffer.from("the data of an image"),
    "/empty": Buffer.alloc(0),
    "/large": Buffer.alloc(imageBytesMax + 1),
    "/packed": gzipSync(Buffer.alloc(1_000)),
    "/bomb": gzipSync(Buffer.alloc(imageBytesMax * 10)),
  };
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    const body = bodies[path];
    if (path === "/round") response.writeHead(302, { location: "/round" }).end();
    else if (path === "/broken")
      response.writeHead(200, { "content-length": 100 }).write("half", () => response.destroy());
    else if (!body) response.writeHead(404).end();
    else response.writeHead(200, { "content-length": body.length }).end(request.method === "HEAD" ? undefined : body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(() => void server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  return [...Object.keys(bodies), "/round", "/broken", "/none"].map((path) => `http://127.0.0.1:${port}${path}`);
}

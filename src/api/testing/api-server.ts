// An API on a free loopback port over the real domain, whose database and store are in memory; and a client that speaks bytes, for
// requests no library would send.
import type { Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { Registry } from "prom-client";
import { createCacheService } from "../../cache/cache-service.ts";
import type { FileCache } from "../../cache/file-cache.ts";
import type { Policy, PropertyProtections } from "../../core/caller.ts";
import { systemClock } from "../../core/clock.ts";
import { silentLogger } from "../../core/logger.ts";
import { fakeauth } from "../../identity/fakeauth.ts";
import { createIdentity, type Identity, nobody } from "../../identity/identity.ts";
import { defaultPolicyOf } from "../../identity/policy/default-policy.ts";
import { Fixture, type NodeOptions, settingsOf } from "../../images/testing/fixture.ts";
import { memoryImages } from "../../images/testing/memory-repositories.ts";
import { createMetadefServices } from "../../metadefs/services.ts";
import { createMemoryMetadefs } from "../../metadefs/testing/memory-metadefs.ts";
import { noFeatures } from "../../releases/api-versions.ts";
import { type Release, type ReleaseId, releaseOf } from "../../releases/catalogue.ts";
import type { ApiSettings } from "../config.ts";
import type { Gate } from "../gate.ts";
import { createApiMetrics } from "../metrics.ts";
import type { Services } from "../route.ts";
import { createApi } from "../server.ts";
import type { WarmUp } from "../warm-up.ts";

export type TestApi = AsyncDisposable & {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  /** Database (with faults to switch on) and store. */
  readonly fixture: Fixture;
  /** Change what the process says about itself. */
  readonly gate: { draining: boolean; unfit: string | null };
  readonly registry: Registry;
};

export async function startApi(
  options: {
    /** Absent: none, everybody is an admin. */
    flavor?: "none" | "fakeauth";
    /** In the flavor's place. */
    callers?: Identity;
    release?: ReleaseId;
    /** Absent: what the release comes with. */
    policy?: Policy;
    protections?: PropertyProtections;
    settings?: Partial<ApiSettings>;
    /** Several stores by name, the first of them the default. */
    stores?: NonNullable<NodeOptions["stores"]>;
    foreignNodes?: NonNullable<NodeOptions["foreignNodes"]>;
    /** Downloads are cached in it. Absent: nothing is. */
    cache?: FileCache;
    importing?: NonNullable<NodeOptions["importing"]>;
    /** Changes what the tests' operator set. */
    images?: NonNullable<NodeOptions["settings"]>;
    regions?: NonNullable<NodeOptions["regions"]>;
    /** Absent: that of the release. */
    announced?: () => Promise<Release>;
    /** Absent: that of the release. */
    described?: () => Promise<Release>;
    /** Run before it listens. Absent: it listens cold. */
    warmUp?: WarmUp;
    /** Puts something else in the place of a real service. */
    replace?: (services: Services) => Partial<Services>;
  } = {},
): Promise<TestApi> {
  const release = releaseOf(options.release ?? "ocata");
  const fixture = new Fixture();
  const policy = options.policy ?? defaultPolicyOf(release.capabilities.policy);
  const { protections } = options;
  const { cache } = options;
  const services = fixture.node({
    release: release.id,
    policy,
    ...(protections ? { protections } : {}),
    ...(options.stores ? { stores: options.stores } : {}),
    ...(options.regions ? { regions: options.regions } : {}),
    ...(options.foreignNodes ? { foreignNodes: options.foreignNodes } : {}),
    ...(options.importing ? { importing: options.importing } : {}),
    ...(options.images ? { settings: options.images } : {}),
    ...(cache ? { cache } : {}),
  });
  const metadefs = createMetadefServices({
    repository: createMemoryMetadefs(systemClock),
    policy,
    capabilities: release.capabilities,
    pageDefault: 3,
    pageMax: 10,
  });
  const registry = new Registry();
  const state = { draining: false, unfit: null as string | null };
  const gate: Gate = {
    get draining() {
      return state.draining;
    },
    health: () => (state.unfit === null ? { ok: true } : { ok: false, reason: state.unfit }),
    metrics: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
  const images = memoryImages(fixture.database, release.capabilities);
  const identity = createIdentity({
    source: options.callers ?? (options.flavor === "fakeauth" ? fakeauth : nobody),
    policy,
  });
  const metrics = createApiMetrics(registry);
  const { warmUp } = options;
  const app = await createApi({
    services: { ...services, metadefs, ...options.replace?.({ ...services, metadefs }) },
    cache: createCacheService({ cache: options.cache ?? null, images, policy, fetchSoon: () => undefined }),
    identity: warmUp?.identity(identity) ?? identity,
    release,
    ...(options.announced ? { announced: options.announced } : {}),
    ...(options.described ? { described: options.described } : {}),
    gate,
    settings: {
      publicEndpoint: null,
      requestIdCharsMax: 64,
      schemeHeader: null,
      trustProxyHeaders: false,
      healthcheckPath: "/healthcheck",
      features: noFeatures,
      olderCacheRoutes: false,
      cors: null,
      gzip: false,
      ...options.settings,
    },
    images: settingsOf(release.id, { multiStore: options.stores !== undefined, ...options.images }),
    metrics: warmUp?.metrics(metrics) ?? metrics,
    logger: silentLogger,
    headerBytesMax: 65_536,
  });
  await warmUp?.run(app.server);
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    server: app.server,
    fixture,
    gate: state,
    registry,
    async [Symbol.asyncDispose]() {
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

export type RawAnswer = {
  /** 0 where nothing came back. */
  readonly status: number;
  /** Lower-cased names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
};

/**
 * Sends the bytes as they are and reads until the server closes; end requests with `Connection: close`.
 * `endAfterMs`: ends our side after so long a silence, for bytes that may not be a whole request.
 */
export function sendRaw(
  port: number,
  bytes: string | Buffer,
  options: { endAfterMs?: number } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    const chunks: Buffer[] = [];
    const done = () => resolve(parseAnswer(Buffer.concat(chunks).toString("utf8")));
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("close", done);
    // A reset after the answer is how a server may end a connection on garbage.
    socket.on("error", (error) => (chunks.length > 0 ? done() : reject(error)));
    if (options.endAfterMs !== undefined) socket.setTimeout(options.endAfterMs, () => socket.end());
    socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  });
}

export function parseAnswer(text: string): RawAnswer {
  const at = text.indexOf("\r\n\r\n");
  const [line = "", ...fields] = text.slice(0, at).split("\r\n");
  const headers = fields.map((field): [string, string] => {
    const colon = field.indexOf(":");
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
  });
  return { status: Number(line.split(" ")[1] ?? 0), headers: new Map(headers), body: text.slice(at + 4) };
}

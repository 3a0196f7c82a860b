// Real nodes of the reference: Debian's glance-api 25.1 (Zed) with a configuration of its own in a folder of the test's, on a free port. The
// configuration is one that nodes of ours read as well, so that either kind can be started on the same file. Gone with the process that
// started it.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Guard, guardFolder, startDetached } from "../../demo/processes.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

export const glanceProgram = "/usr/bin/glance-api";
/** Where the filter of flavor fakeauth lies. */
const filters = fileURLToPath(new URL(".", import.meta.url));
const debianPaste = "/etc/glance/glance-api-paste.ini";

/** Sections of a configuration file, each with its options. */
export type GlanceSections = Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>;

/**
 * What stands before the service: nobody is asked (everybody is admin), the headers `X-Identity-Status`, `X-User-Id`, `X-Project-Id` and
 * `X-Roles` are believed, or a token `user:project:role`, or tokens are validated by the Keystone of `keystone_authtoken`. Requests that one node
 * sends on to another carry a token and no such headers. The cache is managed in the ones that say so.
 */
export type GlanceFlavor =
  | "none"
  | "headers"
  | "headers+cachemanagement"
  | "fakeauth"
  | "fakeauth+cachemanagement"
  | "keystone"
  | "keystone+caching"
  | "keystone+cachemanagement";

/** What the nodes of one fleet have in common. */
export type GlanceSite = {
  /** Removed with all its processes when the site is stopped or its starter is gone. */
  readonly folder: string;
  readonly images: string;
  readonly staging: string;
  /** Read by every node; it may be changed while they run. */
  readonly policy: string;
  stop(): Promise<void>;
};

/** A node's configuration, of which no process runs yet. */
export type GlanceSetup = {
  readonly name: string;
  readonly port: number;
  readonly url: string;
  readonly config: string;
  /** While it exists the node's `/healthcheck` is 503, which takes it out of a balancer's rotation. */
  readonly disableFile: string;
  readonly logFile: string;
  /** What starts the reference on it. */
  readonly command: readonly string[];
};

export type GlanceNode = GlanceSetup & {
  readonly pid: number;
  /** All it wrote, the last 64 KiB. */
  output(): string;
  /**
   * Ends it as its service script does, by SIGTERM. The reference cuts the requests it has in hand then: whoever wants none to fail takes
   * it out of rotation before, and waits until the balancer shows no session of it.
   */
  stop(): Promise<void>;
  /** Kills it and its workers with -9. */
  crash(): Promise<void>;
};

/** A folder with a store, a staging folder, and an empty policy file. Throws a line that says what to install where there is no Glance. */
export function makeGlanceSite(): GlanceSite {
  if (!existsSync(glanceProgram))
    throw new Error("Glance is needed here: install the Debian packages glance-api and glance-common");
  const folder = mkdtempSync(join(tmpdir(), "perennial-glance-"));
  const site = {
    images: join(folder, "images"),
    staging: join(folder, "staging"),
    policy: join(folder, "policy.yaml"),
  };
  for (const place of [site.images, site.staging]) mkdirSync(place);
  writeFileSync(site.policy, "# No rules of the operator's.\n");
  const guard: Guard = guardFolder(folder, { keep: false });
  return { folder, ...site, stop: () => guard.stop() };
}

export type GlanceOptions = {
  readonly name: string;
  /** `mysql://...` as our test servers have it, or any URL that SQLAlchemy takes. */
  readonly database: string;
  readonly flavor?: GlanceFlavor;
  readonly port?: number;
  /** Add to and replace what is usual here. */
  readonly sections?: GlanceSections;
};

/** Writes a node's configuration and paste file into the site's folder. */
export async function setUpGlance(site: GlanceSite, options: GlanceOptions): Promise<GlanceSetup> {
  const { name, database, flavor = "headers", sections = {} } = options;
  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const place = join(site.folder, name);
  mkdirSync(place, { recursive: true });
  const setup = {
    name,
    port,
    url,
    config: join(place, "glance-api.conf"),
    disableFile: join(place, "disable"),
    logFile: join(place, "log"),
  };
  writePaste(join(place, "glance-api-paste.ini"), setup.disableFile);
  const usual: GlanceSections = {
    DEFAULT: {
      bind_host: "127.0.0.1",
      bind_port: port,
      workers: 1,
      debug: false,
      node_staging_uri: `file://${site.staging}`,
      worker_self_reference_url: url,
      enabled_import_methods: "[glance-direct,web-download,copy-image]",
      image_cache_dir: join(place, "cache"),
    },
    database: { connection: sqlalchemyUrl(database), max_retries: 0 },
    glance_store: { filesystem_store_datadir: site.images },
    oslo_policy: { policy_file: site.policy },
    oslo_concurrency: { lock_path: place },
    paste_deploy: {
      config_file: join(place, "glance-api-paste.ini"),
      ...(flavor === "none" ? {} : { flavor }),
    },
    import_filtering_opts: { allowed_hosts: "[127.0.0.1]", allowed_ports: "[]" },
  };
  writeFileSync(setup.config, configText(usual, sections));
  const command = [glanceProgram, "--config-file", setup.config];
  return { ...setup, command: flavor.startsWith("fakeauth") ? ["env", `PYTHONPATH=${filters}`, ...command] : command };
}

function configText(usual: GlanceSections, changes: GlanceSections): string {
  const names = [...new Set([...Object.keys(usual), ...Object.keys(changes)])];
  return names
    .map((section) => {
      const options = Object.entries({ ...usual[section], ...changes[section] });
      return [`[${section}]`, ...options.map(([option, value]) => `${option} = ${value}`), ""].join("\n");
    })
    .join("\n");
}

/** Debian's, with a node's own file that takes it out of rotation, and pipelines that believe what they are told. */
function writePaste(path: string, disableFile: string): void {
  copyFileSync(debianPaste, path);
  const debian = readFileSync(path, "utf8").replace(
    /^disable_by_file_path = .*$/m,
    `disable_by_file_path = ${disableFile}`,
  );
  const before = "cors healthcheck http_proxy_to_wsgi versionnegotiation";
  const own = (name: string, identity: string) => `
[pipeline:glance-api-${name}]
pipeline = ${before} ${identity} rootapp

[pipeline:glance-api-${name}+cachemanagement]
pipeline = ${before} ${identity} cache cachemanage rootapp
`;
  const fake = "\n[filter:fakeauth]\npaste.filter_factory = glance_fakeauth:FakeAuthMiddleware.factory\n";
  writeFileSync(path, debian + own("headers", "context") + own("fakeauth", "fakeauth context") + fake);
}

const sqlalchemyUrl = (url: string) =>
  url.startsWith("mysql://") ? `${url.replace("mysql://", "mysql+pymysql://")}?charset=utf8` : url;

/** The environment of Python programs here: loopback calls of theirs would leave through a proxy. */
export function withoutProxies(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/proxy$/i.test(name)));
}

/** Starts the reference on a configuration, and waits until it answers (about 4 s on an idle machine). Throws with its output where it does not. */
export async function startGlance(setup: GlanceSetup): Promise<GlanceNode> {
  const child = startDetached(setup.command, {
    logFile: setup.logFile,
    cwd: join(setup.config, ".."),
    env: withoutProxies(),
  });
  const ended = once(child, "exit");
  const output = () => (existsSync(setup.logFile) ? readFileSync(setup.logFile, "utf8").slice(-65_536) : "");
  const gone = () => child.exitCode !== null || child.signalCode !== null;
  await glanceAnswers(setup, gone);
  if (gone()) throw new Error(`Glance ${setup.name} did not start:\n${output()}`);
  return {
    ...setup,
    pid: child.pid ?? 0,
    output,
    stop: () => end(child, "SIGTERM", ended),
    crash: () => end(child, "SIGKILL", ended),
  };
}

/** Waits until one that was started answers, or `gone` says that it ended. */
export async function glanceAnswers({ name, url }: GlanceSetup, gone: () => boolean = () => false): Promise<void> {
  await eventually(
    `Glance ${name} answers`,
    async () => gone() || (await fetch(`${url}/versions`, { signal: AbortSignal.timeout(60_000) })).status === 200,
    { msMax: 180_000, everyMs: 50 },
  );
}

/**
 * How long its service script waits (`--retry=TERM/30/KILL/5`), and with reason: its parent has been seen to outlive its workers after a TERM, waiting
 * for nothing, until it was killed.
 */
const stopMsMax = 30_000;

/** Safe to call twice. TERM is passed on to the workers by the parent itself; nobody passes on KILL. */
async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL", ended: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const { pid } = child;
  child.ref();
  process.kill(signal === "SIGKILL" ? -pid : pid, signal);
  const late = setTimeout(() => process.kill(-pid, "SIGKILL"), stopMsMax);
  await ended;
  clearTimeout(late);
}

// What the configurations of a fleet's nodes of Glance say, compared with each other and with what we do of them. Pure.
import type { EffectiveOption } from "../../core/config.ts";
import type { ReleaseId } from "../../releases/catalogue.ts";

/** What is each node's own wherever there are several nodes. */
const ownOfEachNode: ReadonlySet<string> = new Set([
  "DEFAULT.bind_host",
  "DEFAULT.bind_port",
  "DEFAULT.worker_self_reference_url",
  "DEFAULT.log_file",
  "DEFAULT.log_dir",
  "DEFAULT.image_cache_dir",
  "DEFAULT.node_staging_uri",
  "DEFAULT.workers",
  "oslo_concurrency.lock_path",
  "healthcheck.disable_by_file_path",
  "healthcheck.disable_by_file_paths",
  "perennial.node_name",
  "perennial.pid_file",
  "paste_deploy.config_file",
]);

export type NodeOptions = { readonly node: string; readonly effective: readonly EffectiveOption[] };

/** By node, what it has otherwise than the first one, a phrase each. Only options whose difference a client could meet. */
export function differencesFromFirst(nodes: readonly NodeOptions[]): ReadonlyMap<string, readonly string[]> {
  const [first, ...others] = nodes;
  const found = new Map<string, readonly string[]>();
  if (!first) return found;
  const expected = byName(first);
  for (const other of others) {
    const has = byName(other);
    const names = new Set([...expected.keys(), ...has.keys()]);
    const phrases = [...names].sort().flatMap((name) => {
      const [was, is] = [expected.get(name), has.get(name)];
      if (was === is || ownOfEachNode.has(name)) return [];
      const option = name.replace(/^(.*)\.(?=[^.]*$)/, "[$1] ");
      return [`${option} is ${shown(is)}, on ${first.node} ${shown(was)}`];
    });
    if (phrases.length > 0) found.set(other.node, phrases);
  }
  return found;
}

function byName({ effective }: NodeOptions): Map<string, string> {
  return new Map(effective.map(({ section, option, text }) => [`${section}.${option}`, text]));
}

function shown(text: string | undefined): string {
  return text === undefined || text === "" ? "unset" : text;
}

/** By the option that shows that it matters here: what we do otherwise. */
const differences: readonly {
  readonly when: (options: ReadonlyMap<string, EffectiveOption>) => boolean;
  readonly what: string;
}[] = [
  { when: () => true, what: "TERM lets requests and imports finish, where Glance cuts them; HUP reloads as there" },
  {
    when: (options) => isSet(options, "oslo_messaging_notifications.driver"),
    what: "notifications tell of images and members, and neither of tasks nor of metadata definitions",
  },
  {
    when: (options) => isSet(options, "DEFAULT.image_cache_dir"),
    what: "the cache prunes itself; the jobs glance-cache-pruner and glance-cache-cleaner have nothing left to do",
  },
  {
    when: (options) => textOf(options, "glance_store.stores").includes("http"),
    what: "locations of http never lead to loopback or link-local addresses, but for [perennial] http_store_near_hosts",
  },
  {
    when: (options) => /glance-download|web-download/.test(textOf(options, "DEFAULT.enabled_import_methods")),
    what: "imports from elsewhere: redirects and numeric hosts are judged by [import_filtering_opts], too; loopback needs to be in allowed_hosts",
  },
  {
    when: (options) => namesForeignStore(options) && isSet(options, "perennial.foreign_store_proxy"),
    what: "images in cinder and vmware: downloads and deletions are passed on to the nodes of [perennial] foreign_store_proxy; their locations are changed at Glance nodes alone",
  },
  {
    when: (options) => namesForeignStore(options) && !isSet(options, "perennial.foreign_store_proxy"),
    what: "images in cinder and vmware are shown and listed, but neither read nor deleted (501): name Glance nodes that have the store in [perennial] foreign_store_proxy",
  },
  {
    when: (options) => isSet(options, "DEFAULT.metadata_encryption_key"),
    what: "metadata_encryption_key has to fit every encrypted location in the database, or our node does not start",
  },
];

/** A line each; `effective` as our node reads it. */
export function whatDiffers(effective: readonly EffectiveOption[]): readonly string[] {
  const options = new Map(effective.map((one) => [`${one.section}.${one.option}`, one]));
  return differences.filter(({ when }) => when(options)).map(({ what }) => what);
}

function namesForeignStore(options: ReadonlyMap<string, EffectiveOption>): boolean {
  const stores = [textOf(options, "glance_store.stores"), textOf(options, "DEFAULT.enabled_backends")].join(",");
  return /\b(cinder|vmware|vsphere|sheepdog|gridfs)\b/.test(stores);
}

function textOf(options: ReadonlyMap<string, EffectiveOption>, name: string): string {
  return options.get(name)?.text ?? "";
}

function isSet(options: ReadonlyMap<string, EffectiveOption>, name: string): boolean {
  return options.get(name)?.origin !== "default" && textOf(options, name) !== "";
}

/** The major versions of Glance's packages count its releases. */
const firstMajor = 13;

/** The release a version such as 25.1.0 is of, among `releases` in order from Newton; undefined where it is of none. */
export function releaseOfVersion(version: string, releases: readonly ReleaseId[]): ReleaseId | undefined {
  return releases[Number.parseInt(version, 10) - firstMajor];
}

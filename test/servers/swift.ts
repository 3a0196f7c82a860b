// A private Swift on free ports: proxy with tempauth and its S3 API (or with a Keystone), one account, container and object server, in a folder of its own.
// Gone with the process that started it. Needs extended attributes in the temporary folder, which ext4, xfs and tmpfs have.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "./eventually.ts";
import { freePorts } from "./free-port.ts";
import type { KeystoneServer, KeystoneUser } from "./keystone.ts";
import { type Leashed, leash } from "./leash.ts";

export type SwiftServer = {
  /** `http://127.0.0.1:PORT`: also the endpoint of the S3 API. */
  readonly url: string;
  /** Of tempauth (`X-Auth-User`, `X-Auth-Key`), and the keys of the S3 API. */
  readonly user: string;
  readonly key: string;
  stop(): Promise<void>;
};

const kinds = ["account", "container", "object"] as const;
const [user, key] = ["test:tester", "testing"] as const;
const run = promisify(execFile);

/** Who a Swift asks about tokens, by whose account, and where it finds that. */
export type SwiftIdentity = {
  readonly keystone: KeystoneServer;
  /** The id of its project; the user has a role there by which Keystone lets it ask. */
  readonly project: string;
  readonly user: KeystoneUser;
};

/**
 * `identity`: accounts are those of Keystone's projects, owned by whoever is `member` there, and all of them by a `ResellerAdmin`; absent:
 * tempauth's. Throws a line that says what to install where there is no Swift.
 */
export async function startSwift(identity?: SwiftIdentity): Promise<SwiftServer> {
  if (!existsSync("/usr/bin/swift-proxy-server"))
    throw new Error(
      "Swift is needed here: install the Debian packages swift-proxy swift-account swift-container swift-object",
    );
  const folder = await mkdtemp(join(tmpdir(), "perennial-swift-"));
  const [proxyPort = 0, cachePort = 0, ...ports] = await freePorts(2 + kinds.length);
  const servers: Leashed[] = [];
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await writeFile(
      join(folder, "swift.conf"),
      "[swift-hash]\nswift_hash_path_suffix = test\nswift_hash_path_prefix = test\n",
    );
    await mkdir(join(folder, "node", "sda"), { recursive: true });
    await run("/usr/bin/python3", ["-c", rings, folder, ...ports.map(String)]);
    await Promise.all(
      kinds.map(async (kind, at) => {
        await writeFile(join(folder, `${kind}.conf`), serverConfig(folder, kind, ports[at] ?? 0));
      }),
    );
    await writeFile(join(folder, "proxy.conf"), proxyConfig(folder, proxyPort, cachePort, identity));
    // Where tempauth keeps its tokens.
    const cache = ["/usr/bin/memcached", "-u", "root", "-l", "127.0.0.1", "-p", String(cachePort), "-U", "0"];
    servers.push(leash(cache, { folder: "" }));
    for (const name of [...kinds, "proxy"])
      servers.push(leash([`/usr/bin/swift-${name}-server`, join(folder, `${name}.conf`)], { folder: "", cwd: folder }));
    const url = `http://127.0.0.1:${proxyPort}`;
    const session = identity ? await keystoneSession(url, identity) : null;
    const login = async () => session ?? tempauthSession(url);
    await eventually("Swift answers", () => ready(login, servers), { msMax: 60_000, everyMs: 100 });
    if (servers.some((server) => server.exitCode !== undefined)) throw new Error("one of its servers ended");
    return { url, user, key, stop };
  } catch (error) {
    const output = servers.map((server) => server.output()).join("\n");
    await stop();
    throw new Error(`Swift did not start:\n${output}`, { cause: error });
  }
}

/** In one process: the tool for it takes nine, half a second each. */
const rings = `
import sys
from swift.common.ring import RingBuilder
folder, *ports = sys.argv[1:]
for kind, port in zip(("account", "container", "object"), ports):
    ring = RingBuilder(4, 1, 0)
    ring.add_dev(dict(id=0, region=1, zone=1, weight=1, ip="127.0.0.1", port=int(port), device="sda",
                      replication_ip="127.0.0.1", replication_port=int(port), meta=""))
    ring.rebalance()
    ring.get_ring().save(f"{folder}/{kind}.ring.gz")
`;

function serverConfig(folder: string, kind: string, port: number): string {
  return `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${process.env.USER ?? "root"}
swift_dir = ${folder}
devices = ${join(folder, "node")}
mount_check = false
disable_fallocate = true
log_level = ERROR
[pipeline:main]
pipeline = ${kind}-server
[app:${kind}-server]
use = egg:swift#${kind}
`;
}

function proxyConfig(folder: string, port: number, cachePort: number, identity: SwiftIdentity | undefined): string {
  const auth = identity ? "authtoken keystoneauth" : "tempauth";
  return `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${process.env.USER ?? "root"}
swift_dir = ${folder}
log_level = ERROR
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk ${identity ? "" : "s3api "}${auth} copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
# A proxy that is up before the others would else leave them alone for a minute.
error_suppression_interval = 0.2
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${cachePort}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:copy]
use = egg:swift#copy
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
min_segment_size = 1
location = us-east-1
${identity ? keystoneFilters(identity) : tempauthFilter}
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
`;
}

const tempauthFilter = `[filter:tempauth]
use = egg:swift#tempauth
user_${user.replace(":", "_")} = ${key} .admin
storage_url_scheme = http`;

function keystoneFilters({ keystone, project, user: asking }: SwiftIdentity): string {
  return `[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = ${keystone.url}
auth_url = ${keystone.url}
auth_type = password
user_domain_id = default
project_id = ${project}
username = ${asking.name}
password = ${asking.password}
delay_auth_decision = true
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = member
reseller_admin_role = ResellerAdmin`;
}

type Session = { readonly token: string; readonly storage: string };

/** A token, a container and an object can be had: all four servers work. Also true where one of them has ended. */
async function ready(login: () => Promise<Session>, servers: readonly Leashed[]): Promise<boolean> {
  if (servers.some((server) => server.exitCode !== undefined)) return true;
  const { token, storage } = await login();
  if (token === "" || storage === "") return false;
  const headers = { "x-auth-token": token };
  const made = await fetch(`${storage}/ready`, { method: "PUT", headers });
  const stored = await fetch(`${storage}/ready/one`, { method: "PUT", headers, body: "x" });
  return made.ok && stored.ok;
}

async function tempauthSession(url: string): Promise<Session> {
  const asked = await fetch(`${url}/auth/v1.0`, { headers: { "x-auth-user": user, "x-auth-key": key } });
  return { token: asked.headers.get("x-auth-token") ?? "", storage: asked.headers.get("x-storage-url") ?? "" };
}

async function keystoneSession(url: string, { keystone, user: asking, project }: SwiftIdentity): Promise<Session> {
  return { token: await keystone.token(asking, { project }), storage: `${url}/v1/AUTH_${project}` };
}

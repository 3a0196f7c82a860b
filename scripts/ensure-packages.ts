// Sees to it that what Debian has and tests or scripts need is installed: on Debian as root or with sudo it is installed, elsewhere one
// line names what to install. No service of these packages is started: tests run private instances.
import { spawnSync } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { userInfo } from "node:os";
import { pathToFileURL } from "node:url";

/** A Debian package, and the programs that stand there once it is installed. */
export type Needed = { readonly package: string; readonly programs: readonly string[] };

const chromium: Needed = { package: "chromium", programs: ["chromium"] };

const neededByTests: readonly Needed[] = [
  { package: "mariadb-server", programs: ["mariadbd", "mariadb-install-db"] },
  { package: "mariadb-client", programs: ["mariadb", "mariadb-dump"] },
  { package: "postgresql", programs: ["initdb", "postgres"] },
  { package: "haproxy", programs: ["haproxy"] },
  { package: "nginx", programs: ["nginx"] },
  { package: "openssh-server", programs: ["sshd"] },
  { package: "openssh-client", programs: ["ssh", "ssh-keygen"] },
  { package: "iproute2", programs: ["ip"] },
  { package: "systemd", programs: ["systemd", "systemctl", "journalctl"] },
  // Swift, which also speaks S3, and memcached, where it keeps tokens.
  { package: "swift-proxy", programs: ["swift-proxy-server"] },
  { package: "swift-account", programs: ["swift-account-server"] },
  { package: "swift-container", programs: ["swift-container-server"] },
  { package: "swift-object", programs: ["swift-object-server"] },
  { package: "memcached", programs: ["memcached"] },
  { package: "ceph-mon", programs: ["ceph-mon", "monmaptool"] },
  { package: "ceph-osd", programs: ["ceph-osd"] },
  // Also brings what Glance keeps images in Ceph with.
  { package: "ceph-common", programs: ["ceph", "rbd", "ceph-authtool"] },
  { package: "qemu-utils", programs: ["qemu-img"] },
  { package: "lhasa", programs: ["lha"] },
  { package: "python3-openstackclient", programs: ["openstack"] },
  { package: "python3-glanceclient", programs: ["glance"] },
  { package: "glance-common", programs: ["glance-manage"] },
  { package: "glance-api", programs: ["glance-api"] },
  { package: "keystone", programs: ["keystone-manage"] },
  { package: "barbican-common", programs: ["barbican-manage"] },
  { package: "openssl", programs: ["openssl"] },
  { package: "rabbitmq-server", programs: ["rabbitmq-server", "epmd"] },
  chromium,
];

/** No test needs pngquant. */
export const neededForScreenshots: readonly Needed[] = [chromium, { package: "pngquant", programs: ["pngquant"] }];

const folders = ["/usr/sbin", "/usr/local/sbin", "/sbin", ...(process.env.PATH ?? "").split(":")];

function missingPackages(needed: readonly Needed[]): string[] {
  // Debian keeps PostgreSQL's server, of each version, in a folder of its own.
  const everywhere = [...folders, ...globSync("/usr/lib/postgresql/*/bin")];
  const present = (program: string) => everywhere.some((folder) => existsSync(`${folder}/${program}`));
  return needed.filter(({ programs }) => !programs.every(present)).map((entry) => entry.package);
}

/** What apt runs under: services stay stopped by policy-rc.d, whose own state before is kept. */
const install = `set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends "$@"`;

/** Installs what is missing. Throws a one-line Error that says what to install where that cannot be done here. */
export function ensurePackages(needed: readonly Needed[] = neededByTests): void {
  const missing = missingPackages(needed);
  if (missing.length === 0) return;
  const root = userInfo().uid === 0;
  const able = existsSync("/usr/bin/apt-get") && (root || spawnSync("sudo", ["-n", "true"]).status === 0);
  const advice = `what these Debian packages hold is needed here; please install: ${missing.join(" ")}`;
  if (!able) throw new Error(advice);
  process.stderr.write(`Installing ${missing.join(" ")}\n`);
  const command = ["sh", "-c", install, "install", ...missing];
  const [program = "", ...args] = root ? command : ["sudo", "-n", ...command];
  // apt's output is progress, not a result: stdout belongs to the test runner.
  const { status } = spawnSync(program, args, { stdio: ["ignore", 2, 2] });
  if (status !== 0 || missingPackages(needed).length > 0) throw new Error(`apt-get failed; ${advice}`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    ensurePackages();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
}

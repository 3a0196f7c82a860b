// Puts a release's software on a host: an npm tarball, a Debian package, or a command of the operator's own. What was there before stays,
// so that a rollback finds it, and nothing half-copied is ever taken for a package.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { errorText, ServiceError } from "../../../core/errors.ts";
import type { ReleaseId } from "../../../releases/catalogue.ts";
import { fillIn } from "../../run-command.ts";
import type { ShellOptions } from "../host-shell.ts";
import type { InstallAt, SshNodeAt } from "../node-schemas.ts";
import type { SshHost } from "./ssh-host.ts";

/** Takes the file on standard input and keeps it as $2 in folder $1; whole, or not at all. $3 is its SHA-256. */
const receiveScript = `set -eu; umask 022
mkdir -p "$1"; work=$(mktemp "$1/.incoming.XXXXXX"); trap 'rm -f "$work"' EXIT
cat > "$work"; echo "$3  $work" | sha256sum --check --status || { echo "the file arrived broken" >&2; exit 1; }
chmod 644 "$work"; sync "$work"; mv -f "$work" "$1/$2"`;

/**
 * Each tarball has a folder of its own, by its digest, under $1/releases; $1/current names the one that is started, in one step, and
 * $1/previous the one before. $2 the digest, the others npm's words.
 */
const npmScript = `set -eu; umask 022; root=$1; digest=$2; shift 2
if [ ! -d "$root/releases/$digest" ]; then
  work=$(mktemp -d "$root/releases/.$digest.XXXXXX"); trap 'rm -rf "$work"' EXIT; chmod 755 "$work"
  "$@" install --prefix "$work" --omit=dev --no-audit --no-fund --no-package-lock "$root/packages/$digest.tgz" >&2
  mv -T "$work" "$root/releases/$digest"
fi
now=$(readlink "$root/current" || true)
[ "$now" != "releases/$digest" ] || exit 0
[ -z "$now" ] || { ln -sfn "$now" "$root/previous.new"; mv -fT "$root/previous.new" "$root/previous"; }
ln -sfn "releases/$digest" "$root/current.new"; mv -fT "$root/current.new" "$root/current"; sync "$root"`;

/** A package may start its unit when it is installed; when that is due is the rollout's to decide. $1 the package, the others apt's words. */
const debianScript = `set -eu; package=$1; shift; policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT; trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"; chmod 755 "$policy"
fi
DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND
"$@" "$package" >&2`;

export async function installSoftware(
  at: SshNodeAt,
  how: InstallAt,
  host: SshHost,
  release: ReleaseId,
  signal: AbortSignal,
): Promise<void> {
  const options: ShellOptions = { what: `install ${release} on ${at.name}`, signal, msMax: at.installMsMax };
  if (how.by === "command") {
    await host.run('"$@"', fillIn(how.command, { node: at.name, address: at.address, release }), options);
    return;
  }
  const file = how.packages[release];
  if (file === undefined) {
    const message = `${at.name} has no package for ${release}; add install.${how.by}.${release} to the fleet file`;
    throw new ServiceError("rollout.driver_failed", message, { facts: { node: at.name, release } });
  }
  const digest = await digestOf(file, signal);
  if (how.by === "npm") {
    await send(host, file, `${how.root}/packages`, `${digest}.tgz`, digest, options);
    await host.run('mkdir -p "$1/releases"', [how.root], options);
    await host.run(npmScript, [how.root, digest, ...how.npm], options);
  } else {
    await send(host, file, how.keep, `${digest}.deb`, digest, options);
    await host.run(debianScript, [`${how.keep}/${digest}.deb`, ...how.apt], options);
  }
}

/** Not sent again where it is already: a rollback, or an install that was cut short after it. */
async function send(
  host: SshHost,
  file: string,
  folder: string,
  name: string,
  digest: string,
  options: ShellOptions,
): Promise<void> {
  const there = await host.run('test -f "$1/$2"', [folder, name], { ...options, answers: [0, 1] });
  if (there.code === 0) return;
  await host.run(receiveScript, [folder, name, digest], { ...options, input: createReadStream(file) });
}

async function digestOf(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(file), hash, { signal });
  } catch (error) {
    const message = `the package ${file} cannot be read: ${errorText(error)}`;
    throw new ServiceError("rollout.driver_failed", message, { facts: { file }, cause: error });
  }
  return hash.digest("hex");
}

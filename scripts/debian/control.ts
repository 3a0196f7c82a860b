// The control files of the Debian package: what it is, what it needs, and what dpkg checks and runs.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

export type PackageFacts = {
  /** As in package.json. */
  readonly version: string;
  /** Debian's word: amd64, arm64. */
  readonly architecture: string;
  /** `Name <address>`. */
  readonly maintainer: string;
};

const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Debian's word for a processor of Node's; throws an Error where there is no prebuilt runtime for it. */
export function debianArchitecture(processor: string): string {
  const name = architectures[processor];
  if (name === undefined)
    throw new Error(
      `no package can be built on ${processor}: the runtime is prebuilt for ${Object.keys(architectures).join(", ")}`,
    );
  return name;
}

/** 1.2.0-rc.1 goes before 1.2.0, which dpkg knows by a tilde. */
export function debianVersion(version: string): string {
  return version.replace("-", "~");
}

export function controlText(facts: PackageFacts, installedKilobytes: number): string {
  return `Package: perennial
Version: ${debianVersion(facts.version)}
Architecture: ${facts.architecture}
Maintainer: ${facts.maintainer}
Installed-Size: ${installedKilobytes}
Depends: adduser, libatomic1, libc6 (>= 2.34), libgcc-s1 (>= 3.4), libstdc++6 (>= 11)
Suggests: haproxy, default-mysql-client | mariadb-client, lhasa, librados2, librbd1, openssh-client, postgresql-client, qemu-utils
Section: net
Priority: optional
Description: OpenStack-compatible image service that is upgraded while it serves
 Nodes (glance-api), the database's tool (glance-manage) and the upgrade of a
 whole fleet (glance-rollout), with the runtime they need.
 .
 It can be installed beside Glance: where Glance's packages have a command of
 the same name theirs stays in /usr/bin, and the one of this package is in
 /usr/lib/perennial/bin. Nothing is started by installing it, and an upgrade
 restarts nothing.
`;
}

/** dpkg's own changelog format; what changed stands in CHANGELOG.md beside it. */
export function changelogText(facts: PackageFacts, at: Date): string {
  const [day, date, month, year, time] = at.toUTCString().replace(",", "").split(" ");
  const signed = `${day}, ${date} ${month} ${year} ${time} +0000`;
  return `perennial (${debianVersion(facts.version)}) stable; urgency=medium

  * What changed is told in /usr/share/doc/perennial/CHANGELOG.md.gz.

 -- ${facts.maintainer}  ${signed}
`;
}

export function copyrightText(licences: readonly string[]): string {
  return `Perennial is licensed under the Apache License, version 2.0; on Debian systems its
text is in /usr/share/common-licenses/Apache-2.0.

The package holds the Node.js runtime and the libraries below, each under its own
licence, whose text stands in the file named:

${licences.map((file) => `  /${file}`).join("\n")}
`;
}

/** Other packages' commands come and go: each time ours take or leave their names. */
export function triggersText(commands: readonly string[]): string {
  return commands.map((name) => `interest-noawait /usr/bin/${name}\n`).join("");
}

/** As dpkg has it: no entry for links and folders, paths without a leading slash. */
export function md5sumsText(root: string): string {
  return filesBelow(root)
    .map(
      (file) =>
        `${createHash("md5")
          .update(readFileSync(join(root, file)))
          .digest("hex")}  ${file}\n`,
    )
    .join("");
}

/** Regular files, by their paths from `root`, in order. */
export function filesBelow(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

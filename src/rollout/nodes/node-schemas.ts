// What fleet.yaml may say of a node, one shape for each driver, and the same as the drivers get it. Checked by ../fleet.ts.
import { ServiceError } from "../../core/errors.ts";
import { type ReleaseId, releaseIds } from "../../releases/catalogue.ts";
import { address, seconds, text, words } from "../schema-parts.ts";
import { type GlanceAt, type GlanceText, glanceSchema, readGlance } from "./glance-schema.ts";

type ByRelease = Readonly<Partial<Record<ReleaseId, string>>>;

type AnyNode = {
  readonly name: string;
  /** host:port, where the node listens. */
  readonly address: string;
  /** The Glance that serves there, or did before it was taken over; absent: there never was one. */
  readonly glance?: GlanceAt;
};
export type LocalNodeAt = AnyNode & {
  readonly driver: "local";
  readonly directory: string;
  /** The node's glance-api.conf. */
  readonly config: string;
  /** What starts the node; absent: this package's own glance-api. `{config}`, `{directory}`, `{package}`, `{release}` are filled in. */
  readonly command?: readonly string[];
  /** Installed packages by release; absent: one package speaks them all. */
  readonly packages?: ByRelease;
};
export type CommandNodeAt = AnyNode & {
  readonly driver: "command";
  readonly status: readonly string[];
  readonly start: readonly string[];
  readonly stop: readonly string[];
  readonly cut: readonly string[];
  readonly install: readonly string[];
  /** Absent: the node is drained instead. */
  readonly handover?: readonly string[];
  readonly msMax: number;
  readonly installMsMax: number;
};
/** How software gets onto a host; whatever way, what was there before stays for a rollback. */
export type InstallAt =
  | { readonly by: "npm"; readonly packages: ByRelease; readonly root: string; readonly npm: readonly string[] }
  | { readonly by: "debian"; readonly packages: ByRelease; readonly keep: string; readonly apt: readonly string[] }
  | { readonly by: "command"; readonly command: readonly string[] };
export type SshNodeAt = AnyNode & {
  readonly driver: "ssh";
  /** As `ssh` takes it: a name of its configuration, a host, or user@host. */
  readonly host: string;
  readonly sshOptions: readonly string[];
  readonly sudo: boolean;
  readonly unit: string;
  /** The node's glance-api.conf, on its host. */
  readonly config: string;
  readonly systemctl: readonly string[];
  readonly journalctl: readonly string[];
  /** Null: one package speaks all releases, and is there already. */
  readonly install: InstallAt | null;
  readonly installMsMax: number;
};
export type FleetNode = LocalNodeAt | CommandNodeAt | SshNodeAt;

/** Which releases can be installed on it, and from where; undefined where that is not told by release. */
export function packagesOf(node: FleetNode): ByRelease | undefined {
  if (node.driver === "local") return node.packages;
  return node.driver === "ssh" && node.install && "packages" in node.install ? node.install.packages : undefined;
}

type InstallText = {
  npm?: ByRelease;
  root: string;
  npm_command: string[];
  debian?: ByRelease;
  keep: string;
  apt_command: string[];
  command?: string[];
};
type OwnText =
  | Omit<LocalNodeAt, "glance">
  | (Omit<CommandNodeAt, "glance" | "msMax" | "installMsMax"> & {
      deadline_seconds: number;
      install_deadline_seconds: number;
    })
  | (Omit<SshNodeAt, "glance" | "sshOptions" | "install" | "installMsMax"> & {
      ssh_options: string[];
      install?: InstallText;
      install_deadline_seconds: number;
    });
export type NodeText = OwnText & { glance?: GlanceText };

const name = {
  type: "string",
  pattern: "^[A-Za-z0-9._-]+$",
  description: "letters, digits, dot, dash and underscore",
} as const;
const byRelease = {
  type: "object",
  additionalProperties: false,
  properties: Object.fromEntries(releaseIds.map((id) => [id, text])),
} as const;
const wordsOr = (fallback: readonly string[]) => ({ ...words, default: fallback });

const local = {
  type: "object",
  additionalProperties: false,
  required: ["name", "driver", "address", "directory", "config"],
  properties: {
    name,
    driver: { const: "local" },
    address,
    directory: text,
    config: text,
    command: words,
    packages: byRelease,
    glance: glanceSchema,
  },
} as const;

const command = {
  type: "object",
  additionalProperties: false,
  required: ["name", "driver", "address", "status", "start", "stop", "cut", "install"],
  properties: {
    name,
    driver: { const: "command" },
    address,
    status: words,
    start: words,
    stop: words,
    cut: words,
    install: words,
    handover: words,
    glance: glanceSchema,
    deadline_seconds: seconds(1, 20),
    install_deadline_seconds: seconds(1, 900),
  },
} as const;

const install = {
  type: "object",
  additionalProperties: false,
  properties: {
    npm: byRelease,
    root: { ...text, default: "/opt/perennial" },
    npm_command: wordsOr(["npm"]),
    debian: byRelease,
    keep: { ...text, default: "/var/cache/perennial" },
    apt_command: wordsOr(["apt-get", "install", "-q", "-y", "--allow-downgrades", "--reinstall"]),
    command: words,
  },
} as const;

const ssh = {
  type: "object",
  additionalProperties: false,
  required: ["name", "driver", "address", "host", "config"],
  properties: {
    name,
    driver: { const: "ssh" },
    address,
    // One that begins with a dash would be an option of ssh.
    host: {
      type: "string",
      pattern: "^[A-Za-z0-9_\\[][^\\s]*$",
      description: "host, user@host, or a Host of ssh's configuration",
    },
    ssh_options: { type: "array", items: text, default: [] },
    sudo: { type: "boolean", default: false },
    unit: {
      type: "string",
      pattern: "^[A-Za-z0-9:_.@\\\\-]+\\.service$",
      default: "glance-api.service",
      description: "a unit's name, ending in .service",
    },
    config: { type: "string", pattern: "^/", description: "an absolute path on the host" },
    systemctl: wordsOr(["systemctl"]),
    journalctl: wordsOr(["journalctl"]),
    install,
    install_deadline_seconds: seconds(1, 900),
    glance: glanceSchema,
  },
} as const;

export const nodeSchemas = [local, ssh, command] as const;

export type ReadNodeOptions = {
  readonly index: number;
  /** What has to be there. */
  readonly target: ReleaseId;
  /** Makes a path absolute. */
  readonly at: (path: string) => string;
  /** What goes for every node's Glance that does not say it itself. */
  readonly glance?: GlanceText | undefined;
};

/** Throws rollout.fleet_invalid without the file's name. */
export function readNode(text: NodeText, options: ReadNodeOptions): FleetNode {
  const { glance: own, ...node } = text;
  const read = readOwn(node, options);
  const glance = readGlance(read, options.glance, own);
  return glance ? { ...read, glance } : read;
}

function readOwn(node: OwnText, { index, target, at }: ReadNodeOptions): FleetNode {
  switch (node.driver) {
    case "local": {
      const { packages, ...rest } = node;
      const paths = { directory: at(node.directory), config: at(node.config) };
      return { ...rest, ...paths, ...(packages && { packages: absolute(packages, at) }) };
    }
    case "command": {
      const { deadline_seconds, install_deadline_seconds, ...rest } = node;
      return { ...rest, msMax: deadline_seconds * 1000, installMsMax: install_deadline_seconds * 1000 };
    }
    case "ssh": {
      const { ssh_options, install: how, install_deadline_seconds, ...rest } = node;
      const install = how === undefined ? null : readInstall(how, `nodes[${index}].install`, target, at);
      return { ...rest, sshOptions: ssh_options, install, installMsMax: install_deadline_seconds * 1000 };
    }
  }
}

function readInstall(how: InstallText, path: string, target: ReleaseId, at: (path: string) => string): InstallAt {
  const { npm, debian, command: own } = how;
  if ([npm, debian, own].filter((one) => one !== undefined).length !== 1)
    throw new ServiceError("rollout.fleet_invalid", `${path} needs exactly one of: npm, debian, command`);
  const packages = npm ?? debian ?? {};
  if (own === undefined && packages[target] === undefined) {
    const key = npm ? "npm" : "debian";
    throw new ServiceError("rollout.fleet_invalid", `${path}.${key}.${target} is missing: it is the target`);
  }
  if (npm) return { by: "npm", packages: absolute(npm, at), root: how.root, npm: how.npm_command };
  if (debian) return { by: "debian", packages: absolute(debian, at), keep: how.keep, apt: how.apt_command };
  return { by: "command", command: own ?? [] };
}

function absolute(paths: ByRelease, at: (path: string) => string): ByRelease {
  return Object.fromEntries(Object.entries(paths).map(([release, path]) => [release, at(path)]));
}

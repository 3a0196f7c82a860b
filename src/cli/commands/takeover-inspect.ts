// Looks at a fleet's nodes of Glance before anything is touched: their processes, versions and configuration files as they stand on their
// hosts, judged as our node would judge them at its start.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { type Config, type ConfigSource, type EffectiveOption, loadConfig } from "../../core/config.ts";
import { parseConfig } from "../../core/config-parser.ts";
import { errorText, isServiceError } from "../../core/errors.ts";
import { readDatabaseConfig } from "../../db/connect.ts";
import { parseDatabaseUrl } from "../../db/url.ts";
import { releaseIds } from "../../releases/catalogue.ts";
import type { Fleet } from "../../rollout/fleet.ts";
import type { GlanceAt } from "../../rollout/nodes/glance-schema.ts";
import type { HostShell } from "../../rollout/nodes/host-shell.ts";
import type { FleetNode } from "../../rollout/nodes/node-schemas.ts";
import { differencesFromFirst, releaseOfVersion, whatDiffers } from "../../rollout/takeover/node-configs.ts";
import { checkConfig } from "../check-config.ts";
import { configuration } from "../wire-options.ts";
import { databaseUrlOf, glanceOf, shellOf } from "./rollout-parts.ts";

export type NodeFindings = {
  readonly node: string;
  /** Its process; null: none was found. */
  readonly process: string | null;
  /** As it says itself; null: it does not. */
  readonly version: string | null;
  readonly files: readonly string[];
  /** What keeps our node from starting, or would make it another service. */
  readonly refuses: readonly string[];
  /** Options that do nothing here. */
  readonly ignored: readonly string[];
  /** What our node does otherwise. */
  readonly differs: readonly string[];
  /** What it has otherwise than the first node. */
  readonly unlikeFirst: readonly string[];
};

type Looked = { readonly findings: Omit<NodeFindings, "unlikeFirst">; readonly effective: readonly EffectiveOption[] };

/** What was answered, by the shell of a host (nodes on this machine share one) and the command. */
type Versions = Map<HostShell, Map<string, string | null>>;

/** One after the other, so that what is told does not depend on who answers first. Throws rollout.driver_failed where a host does not answer. */
export async function inspectNodes(fleet: Fleet, signal: AbortSignal): Promise<readonly NodeFindings[]> {
  const looked: Looked[] = [];
  const versions: Versions = new Map();
  for (const node of fleet.nodes)
    if (node.glance) looked.push(await inspect(fleet, node, node.glance, versions, signal));
  const compared = differencesFromFirst(
    looked
      .map(({ findings, effective }) => ({ node: findings.node, effective }))
      .filter(({ effective }) => effective.length > 0),
  );
  return looked.map(({ findings }) => ({ ...findings, unlikeFirst: compared.get(findings.node) ?? [] }));
}

async function inspect(
  fleet: Fleet,
  node: FleetNode,
  at: GlanceAt,
  versions: Versions,
  signal: AbortSignal,
): Promise<Looked> {
  const process = (await glanceOf(node, at).observe(signal))?.told ?? null;
  const version = await versionOf(node, at, versions, signal);
  const refuses = versionProblems(at, version);
  const mirror = new Mirror(node);
  let config: Config | undefined;
  try {
    config = await mirror.load(at, signal);
    refuses.push(...databaseProblems(fleet, config));
    checkConfig(config);
  } catch (error) {
    if (!isServiceError(error)) throw error;
    if (error.code === "rollout.driver_failed") throw error;
    refuses.push(mirror.unmask(errorText(error)));
  } finally {
    mirror.remove();
  }
  const ignored = (config?.unknown ?? []).map((text) => mirror.unmask(text));
  const effective = (config?.effective ?? []).map((one) => ({ ...one, text: mirror.unmask(one.text) }));
  const differs = config ? whatDiffers(effective) : [];
  const findings = { node: node.name, process, version, files: mirror.files, refuses, ignored, differs };
  return { findings, effective };
}

/** Asked once of each command of a host: Glance loads all of itself to tell it, which takes seconds of a busy host's processor. */
async function versionOf(node: FleetNode, at: GlanceAt, versions: Versions, signal: AbortSignal) {
  const shell = shellOf(node);
  const onHost = versions.get(shell) ?? new Map<string, string | null>();
  versions.set(shell, onHost);
  const words = JSON.stringify(at.version);
  const known = onHost.get(words);
  if (known !== undefined) return known;
  const version = await glanceOf(node, at).version(signal);
  onHost.set(words, version);
  return version;
}

function versionProblems({ release, version: words }: GlanceAt, version: string | null): string[] {
  if (version === null) return [];
  const found = releaseOfVersion(version, releaseIds);
  if (found === release) return [];
  const is = found ?? "no release that is known here";
  return [`it is Glance ${version} (${words.join(" ")}), which is ${is}; the fleet file declares ${release}`];
}

function databaseProblems(fleet: Fleet, config: Config): string[] {
  const [theirs, ours] = [parseDatabaseUrl(readDatabaseConfig(config).url), parseDatabaseUrl(databaseUrlOf(fleet))];
  if (theirs.display === ours.display) return [];
  return [`its [database] connection leads to ${theirs.display}, the fleet file's database to ${ours.display}`];
}

const notThere = 44;
/** Prints $1; what it may not read is told as what it is. */
const readScript = `[ -e "$1" ] || exit ${notThere}; cat -- "$1"`;

/** A node's files as they stand on its host, copied into a folder: what is named beside each other is found beside each other. */
class Mirror {
  readonly files: string[] = [];
  readonly #node: FleetNode;
  readonly #folder = mkdtempSync(join(tmpdir(), "glance-rollout-"));

  constructor(node: FleetNode) {
    this.#node = node;
  }

  /** Throws config.invalid where our node could not read it. */
  async load(at: GlanceAt, signal: AbortSignal): Promise<Config> {
    const texts: ConfigSource[] = [];
    for (const path of at.configs) {
      const text = await this.#copy(path, signal);
      if (text !== undefined) texts.push({ file: join(this.#folder, path), text });
    }
    const overrides = [`[perennial]\nrelease = ${at.release}`];
    for (const { section, option, usual } of companions) {
      const entry = texts
        .flatMap(({ file, text }) => parseConfig(text, file))
        .findLast((one) => one.section === section && one.option === option);
      const name = entry?.value || usual;
      if (name === null) continue;
      const folders = at.configs.map((path) => dirname(path)).toReversed();
      const paths = isAbsolute(name) ? [name] : folders.map((folder) => join(folder, name));
      for (const path of new Set(paths)) if ((await this.#copy(path, signal)) !== undefined) break;
      // One that is not there is told by whoever needs it, by its own name.
      if (isAbsolute(name)) overrides.push(`[${section}]\n${option} = ${join(this.#folder, name)}`);
    }
    // Read from the folder, so that a file that is missing is told as the node itself would.
    const files = [
      ...at.configs.map((path) => join(this.#folder, path)),
      { file: join(this.#folder, "overrides"), text: overrides.join("\n") },
    ];
    return loadConfig({ files, ...configuration });
  }

  /** As the host has it. */
  unmask(text: string): string {
    return text.replaceAll(this.#folder, "");
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #copy(path: string, signal: AbortSignal): Promise<string | undefined> {
    const what = `read ${path} of ${this.#node.name}`;
    const { code, stdout } = await shellOf(this.#node).run(readScript, [path], {
      what,
      signal,
      answers: [0, notThere],
    });
    if (code !== 0) return undefined;
    const copy = join(this.#folder, path);
    mkdirSync(dirname(copy), { recursive: true });
    writeFileSync(copy, stdout, { mode: 0o600 });
    this.files.push(path);
    return stdout;
  }
}

/** Files that a configuration names, and where they are when it does not. */
const companions: readonly { readonly section: string; readonly option: string; readonly usual: string | null }[] = [
  { section: "paste_deploy", option: "config_file", usual: "glance-api-paste.ini" },
  { section: "oslo_policy", option: "policy_file", usual: "policy.yaml" },
  { section: "DEFAULT", option: "property_protection_file", usual: null },
];

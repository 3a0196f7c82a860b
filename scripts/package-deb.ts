// `npm run package:deb`: builds the Debian package, from an npm tarball of this checkout and what its node_modules hold. The same sources
// give the same bytes: every time in it is SOURCE_DATE_EPOCH, or that of the last commit.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import {
  controlText,
  debianArchitecture,
  debianVersion,
  filesBelow,
  md5sumsText,
  type PackageFacts,
  triggersText,
} from "./debian/control.ts";
import { stageFiles } from "./debian/stage.ts";

const checkout = fileURLToPath(new URL("..", import.meta.url));
const scripts = join(checkout, "scripts/debian");
/** Nobody's address; Debian's own variables say whose the package is. */
const someone = "Perennial <perennial@example.org>";

const command = new Command("npm run package:deb --")
  .description("Builds the Debian package (Debian 12, Ubuntu 22.04 or newer) and prints its path.")
  .option("--tarball <file>", "what `npm pack` made of this checkout; made anew where it is not given")
  .option("--out <folder>", "where the package is put", ".")
  .addHelpText(
    "after",
    `
Examples:
  npm run package:deb
  npm run package:deb -- --tarball perennial-0.1.0.tgz --out /srv/packages

Environment:
  SOURCE_DATE_EPOCH      seconds since 1970 of every file in the package; default: the last commit's
  DEBFULLNAME, DEBEMAIL  who the package's maintainer is`,
  )
  .action(main);
await command.parseAsync();

async function main(options: { tarball?: string; out: string }): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "perennial-deb-"));
  try {
    const tarball = options.tarball === undefined ? pack(work) : resolve(options.tarball);
    process.stdout.write(`${build(work, tarball, resolve(options.out))}\n`);
  } catch (error) {
    process.stderr.write(`package:deb: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function build(work: string, tarball: string, out: string): string {
  const at = new Date(epochSeconds() * 1_000);
  const facts = packageFacts();
  const root = join(work, "root");
  const commands = stageFiles({ root, checkout, tarball, facts, at });
  const control = join(root, "DEBIAN");
  mkdirSync(join(root, "usr/share/lintian/overrides"), { recursive: true });
  cpSync(join(scripts, "lintian-overrides"), join(root, "usr/share/lintian/overrides/perennial"));
  const sums = md5sumsText(root);
  const kilobytes = filesBelow(root).reduce((sum, file) => sum + Math.ceil(statSync(join(root, file)).size / 1024), 0);
  mkdirSync(control);
  writeFileSync(join(control, "control"), controlText(facts, kilobytes));
  writeFileSync(join(control, "md5sums"), sums);
  writeFileSync(join(control, "triggers"), triggersText(commands.filter((name) => name !== "glance-rollout")));
  for (const name of ["postinst", "prerm", "postrm"]) cpSync(join(scripts, name), join(control, name));
  settle(root, at);
  mkdirSync(out, { recursive: true });
  const file = join(out, `perennial_${debianVersion(facts.version)}_${facts.architecture}.deb`);
  // One thread, because what several make depends on how many there are.
  const how = ["--root-owner-group", "-Zzstd", "-z6", "--threads-max=1"];
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(at.getTime() / 1_000) };
  execFileSync("dpkg-deb", [...how, "--build", root, file], { stdio: ["ignore", "ignore", "inherit"], env });
  return file;
}

/** Modes that do not depend on whose checkout it was, and one time for all. */
function settle(root: string, at: Date): void {
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isSymbolicLink())
      chmodSync(path, entry.isDirectory() || isProgram(relative(root, path)) ? 0o755 : 0o644);
    lutimesSync(path, at, at);
  }
  chmodSync(root, 0o755);
  lutimesSync(root, at, at);
}

function isProgram(path: string): boolean {
  return /^(DEBIAN\/(pre|post)\w+|usr\/lib\/perennial\/(bin\/glance-.*|runtime\/node))$/.test(path);
}

function pack(folder: string): string {
  const output = execFileSync("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: checkout,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const name = /"filename":\s*"([^"]+)"/.exec(output)?.[1];
  if (name === undefined) throw new Error(`npm pack named no file: ${output.trim()}`);
  return join(folder, name);
}

function packageFacts(): PackageFacts {
  const { version } = JSON.parse(readFileSync(join(checkout, "package.json"), "utf8")) as {
    version: string;
    description: string;
  };
  const { DEBFULLNAME: name = "Perennial", DEBEMAIL: address } = process.env;
  const maintainer = address === undefined ? someone : `${name} <${address}>`;
  return { version, architecture: debianArchitecture(process.arch), maintainer };
}

function epochSeconds(): number {
  const { SOURCE_DATE_EPOCH: given } = process.env;
  if (given !== undefined) {
    if (!/^\d+$/.test(given)) throw new Error(`SOURCE_DATE_EPOCH is not a number of seconds: ${given}`);
    return Number(given);
  }
  try {
    return Number(
      execFileSync("git", ["log", "-1", "--format=%ct"], {
        cwd: checkout,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }),
    );
  } catch {
    // No checkout of git: the file that changes with every version tells.
    return Math.floor(statSync(join(checkout, "package.json")).mtimeMs / 1_000);
  }
}

// Lays the files of the Debian package out in a folder, as they will lie on a machine: the npm tarball, the libraries it needs as
// package-lock.json pins them, and the runtime. Nothing is fetched: `npm ci` has put all of it here, checked by its digests.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { changelogText, copyrightText, filesBelow, type PackageFacts } from "./control.ts";
import { packagedUnits } from "./units.ts";

const home = "usr/lib/perennial";
const documents = "usr/share/doc/perennial";
const units = "lib/systemd/system";
const runtime = `/${home}/runtime/node`;
/** Headers for building addons, which come built, and types. */
const buildOnly = /^node_modules\/(node-addon-api$|@types\/)/;

/** `checkout` has its node_modules; returns the commands' names. */
export function stageFiles(options: {
  root: string;
  checkout: string;
  tarball: string;
  facts: PackageFacts;
  at: Date;
}): readonly string[] {
  const { root, checkout, tarball, facts, at } = options;
  const own = join(root, home);
  mkdirSync(own, { recursive: true });
  execFileSync("tar", [
    "--extract",
    "--gzip",
    "--file",
    tarball,
    "--directory",
    own,
    "--strip-components=1",
    "--no-same-owner",
  ]);
  copyLibraries(checkout, own);
  copyRuntime(checkout, root);
  const commands = makeCommands(own);
  mkdirSync(join(root, "usr/bin"), { recursive: true });
  symlinkSync("../lib/perennial/bin/glance-rollout", join(root, "usr/bin/glance-rollout"));
  stageUnits(root, own);
  stageDocuments(root, own, facts, at);
  for (const file of filesBelow(own)) if (file.endsWith(".js.map")) rmSync(join(own, file));
  return commands;
}

type Lock = { packages: Record<string, { dev?: boolean; devOptional?: boolean; optional?: boolean }> };

function copyLibraries(checkout: string, own: string): void {
  const lock = JSON.parse(readFileSync(join(checkout, "package-lock.json"), "utf8")) as Lock;
  for (const [path, { dev, devOptional, optional }] of Object.entries(lock.packages)) {
    if (path === "" || dev || devOptional || buildOnly.test(path)) continue;
    const from = join(checkout, path);
    if (!existsSync(from)) {
      if (optional) continue;
      throw new Error(`${path} is missing; run npm ci first`);
    }
    // What lies in a library's own node_modules has an entry of its own.
    const filter = (file: string) => !isNeedless(relative(from, file)) && basename(file) !== "node_modules";
    cpSync(from, join(own, path), { recursive: true, dereference: true, filter });
  }
}

/** Of a library: what it is built and tested with, what is prebuilt for other machines, and what is for people who program against it. */
function isNeedless(path: string): boolean {
  if (path === "") return false;
  const [top = "", second] = path.split("/");
  if (top === "prebuilds") return second !== undefined && second !== `linux-${process.arch}.node`;
  if (
    /^(build|deps|binding\.gyp|tests?|integration|benchmarks?|bench|examples?|docs?|\..*|eslint\.config\..*)$/.test(top)
  )
    return true;
  const name = basename(path);
  if (name.startsWith(".") || /\.(c|cc|cpp|h|hpp|map|html|sh|d\.[cm]?ts)$/.test(name)) return true;
  return /\.(md|markdown)$/i.test(name) && !isLicence(name);
}

function isLicence(name: string): boolean {
  return /licen[cs]e/i.test(name);
}

function copyRuntime(checkout: string, root: string): void {
  const folder = join(root, dirname(runtime));
  mkdirSync(folder, { recursive: true });
  const from = join(checkout, "node_modules/node");
  cpSync(join(from, "bin/node"), join(root, runtime), { dereference: true });
  const licence = join(folder, "LICENSE");
  const own = join(from, `node_modules/node-linux-${process.arch}/LICENSE`);
  // It comes with `npm ci`; a later `npm install` of something else takes it away.
  if (existsSync(own)) cpSync(own, licence);
  else writeFileSync(licence, licenceNotice(JSON.parse(readFileSync(join(from, "package.json"), "utf8")).version));
}

function licenceNotice(version: string): string {
  return `Node.js ${version}. Its licence, and those of the libraries in it: https://github.com/nodejs/node/blob/v${version}/LICENSE\n`;
}

/** Each command runs by the package's own runtime, whatever else the machine has, and has a name without an ending beside it. */
function makeCommands(own: string): readonly string[] {
  const names = readdirSync(join(own, "bin")).filter((name) => name.startsWith("glance-"));
  return names.map((file) => {
    const path = join(own, "bin", file);
    const text = readFileSync(path, "utf8");
    const first = "#!/usr/bin/env node\n";
    if (!text.startsWith(first)) throw new Error(`bin/${file} does not begin with ${first.trim()}`);
    writeFileSync(path, `#!${runtime}\n${text.slice(first.length)}`);
    chmodSync(path, 0o755);
    const name = basename(file, ".js");
    symlinkSync(file, join(own, "bin", name));
    return name;
  });
}

function stageUnits(root: string, own: string): void {
  mkdirSync(join(root, units), { recursive: true });
  const sample = (name: string) => readFileSync(join(own, "deploy", name), "utf8");
  for (const { name, text } of packagedUnits(sample)) writeFileSync(join(root, units, name), text);
}

function stageDocuments(root: string, own: string, facts: PackageFacts, at: Date): void {
  const folder = join(root, documents);
  mkdirSync(folder, { recursive: true });
  renameSync(join(own, "docs"), join(folder, "docs"));
  renameSync(join(own, "deploy"), join(folder, "examples"));
  for (const name of ["README.md", "ARCHITECTURE.md"]) renameSync(join(own, name), join(folder, name));
  writeFileSync(join(folder, "CHANGELOG.md.gz"), gzipSync(readFileSync(join(own, "CHANGELOG.md")), { level: 9 }));
  rmSync(join(own, "CHANGELOG.md"));
  rmSync(join(own, "LICENSE"));
  writeFileSync(join(folder, "changelog.gz"), gzipSync(changelogText(facts, at), { level: 9 }));
  const licences = filesBelow(root).filter((file) => file.startsWith(home) && isLicence(basename(file)));
  writeFileSync(join(folder, "copyright"), copyrightText(licences));
}

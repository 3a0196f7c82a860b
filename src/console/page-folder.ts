// Where the built page lies. In a package it comes along; in a checkout it is built when it is first needed, and again when what it is
// made of is newer. Two consoles that are started at once build it once.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { ServiceError } from "../core/errors.ts";

const pollMs = 200;
/** A builder shows that it lives more often than this. */
const lockMsMax = 15_000;
const wordsMax = 2_000;

/** Throws console.page_missing where there is none and none can be built. */
export async function findPage(packageRoot: string, clock: Clock): Promise<string> {
  const page = join(packageRoot, "dist", "console-page");
  const script = join(packageRoot, "scripts", "build-console.ts");
  if (!existsSync(script)) {
    if (existsSync(join(page, "index.html"))) return page;
    throw missing("this package was built without the console's page; install a whole one");
  }
  const sources = [
    ...["console", "src/console"].map((one) => join(packageRoot, one)),
    script,
    join(packageRoot, "package-lock.json"),
  ];
  if (isFresh(page, sources)) return page;
  await withLock(join(packageRoot, "dist", ".console-lock"), clock, async () => {
    if (!isFresh(page, sources)) await build(script, packageRoot);
  });
  return page;
}

function isFresh(page: string, sources: readonly string[]): boolean {
  const built = modifiedMs(join(page, "index.html"));
  return built !== null && sources.every((source) => newestMs(source) <= built);
}

function newestMs(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return 0;
  if (!found.isDirectory()) return found.mtimeMs;
  const names = readdirSync(path, { recursive: true, encoding: "utf8" });
  return names.reduce((newest, name) => Math.max(newest, modifiedMs(join(path, name)) ?? 0), 0);
}

function modifiedMs(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? null;
}

/** A folder is made by one process only. One whose builder died grows old and is taken over. */
async function withLock(path: string, clock: Clock, work: () => Promise<void>): Promise<void> {
  mkdirSync(join(path, ".."), { recursive: true });
  while (!tryLock(path)) await clock.sleep(pollMs);
  const sign = setInterval(() => touch(path), lockMsMax / 5);
  try {
    await work();
  } finally {
    clearInterval(sign);
    removeLock(path);
  }
}

function tryLock(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    const since = modifiedMs(path);
    if (since !== null && Date.now() - since > lockMsMax) removeLock(path);
    return false;
  }
}

function removeLock(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Whoever took it over removed it.
  }
}

function touch(path: string): void {
  try {
    utimesSync(path, new Date(), new Date());
  } catch {
    // Taken over while this process stood still; the page of whoever comes second replaces the other's whole.
  }
}

async function build(script: string, packageRoot: string): Promise<void> {
  const child = spawn(process.execPath, [script], { cwd: packageRoot, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-wordsMax);
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code === 0) return;
  throw missing(
    `it could not be built (${said.trim().split("\n")[0] || `exit code ${code}`}); run npm ci, then npm run build:console`,
  );
}

function missing(why: string): ServiceError {
  return new ServiceError("console.page_missing", `the console has no page: ${why}`);
}

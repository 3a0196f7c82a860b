// `npm test` and its relatives: node scripts/test.ts unit | standard | full
//   unit      the rooms' own tests that need no server, start no command and take no database through all releases, on SQLite; within a minute
//   standard  lint, types, all of the rooms' tests on SQLite, MariaDB and PostgreSQL, and all whole-process tests with a sample of their matrices
//   full      those of the whole-process tests that have matrices, with all of them
// All of them share one private MariaDB and one private PostgreSQL. A test that was skipped fails the run, unless it says that this machine cannot run it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, globSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { startMariadb } from "../test/servers/mariadb.ts";
import { startPostgresql } from "../test/servers/postgresql.ts";
import { shareCompileCache } from "./compile-cache.ts";
import { ensurePackages } from "./ensure-packages.ts";

const modes = ["unit", "standard", "full"] as const;
type Mode = (typeof modes)[number];

const rooms = ["src/**/*.test.ts", "test/*.test.ts"];
/** They start processes, a second or more for each, walk through all releases, or are about one kind of server. */
const notUnit = [
  "src/cli/**",
  "src/db/backup/**",
  "src/db/{dialects,schema}/{mysql,postgresql}/**",
  "src/db/schema/{foreign-expand,hand-altered,jump,mid-release,phases,resume}.test.ts",
  "src/formats/qemu-img.test.ts",
  "src/identity/keystone/keystone.test.ts",
  "src/rollout/balancers/**",
  "src/rollout/nodes/**",
];
const demoAndServers = ["demo/**/*.test.ts", "test/servers/*.test.ts", "scripts/**/*.test.ts", "bench/**/*.test.ts"];
const wholeProcess = ["test/{node,upgrade,compat,package,fuzz}/**/*.test.ts"];
const matrices = [
  "test/upgrade/{kill,mixed,pairs,galera,keystone}/**/*.test.ts",
  "test/compat/reference-manage.test.ts",
];
const memoryBytesMin = 4 * 2 ** 30;
/** What a test may say when it skips itself without failing the run. */
const honestSkip = /^this machine /;

/** Ends the test files' processes too: whoever stops the run would otherwise have to find them. */
const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupted.abort());

const mode = modes.find((name) => name === process.argv[2]);
if (!mode) {
  process.stderr.write(`usage: node scripts/test.ts ${modes.join(" | ")}\n`);
  process.exitCode = 2;
} else process.exitCode = (await main(mode)) ? 0 : 1;

async function main(mode: Mode): Promise<boolean> {
  shareCompileCache();
  try {
    ensurePackages();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    return false;
  }
  if (
    mode === "standard" &&
    !((await command("lint", "biome", ["check", "--error-on-warnings", "."])) && (await types()))
  )
    return false;
  if (mode === "unit") {
    process.env.DIALECTS = "sqlite";
    return await inMemory(() => tests(rooms, { concurrency: 2, exclude: notUnit }));
  }
  const [mariadb, postgresql] = await startServers();
  try {
    process.env.PERENNIAL_TEST_MARIADB = mariadb.url("");
    process.env.PERENNIAL_TEST_POSTGRESQL = postgresql.url("");
    process.env.PERENNIAL_TESTS = mode === "full" ? "full" : "standard";
    const passed: boolean[] = [];
    if (mode === "standard")
      passed.push(await inMemory(() => tests([...rooms, ...demoAndServers], { concurrency: 3 })));
    // They wait for drains, leases and restarts more than they compute.
    passed.push(await tests(mode === "full" ? matrices : wholeProcess, { concurrency: 3 }));
    return passed.every(Boolean);
  } finally {
    await Promise.all([mariadb.stop(), postgresql.stop()]);
  }
}

/**
 * Runs `work` with its temporary files in memory, where there is room: the rooms' tests make some thousand databases, each of which would
 * wait for the disk again and again. Tests of whole processes stay on the disk.
 */
async function inMemory(work: () => Promise<boolean>): Promise<boolean> {
  const memory = "/dev/shm";
  if (!existsSync(memory)) return await work();
  const { bavail, bsize } = statfsSync(memory);
  if (bavail * bsize < memoryBytesMin) return await work();
  const before = process.env.TMPDIR;
  const folder = mkdtempSync(join(memory, "perennial-test-"));
  // Servers that give up root's rights work in it too.
  chmodSync(folder, 0o1777);
  process.env.TMPDIR = folder;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Both at once; where one does not start, the other is stopped. */
async function startServers() {
  const starting = [
    startMariadb({ shared: false, bufferPoolMb: 256 }),
    startPostgresql({ shared: false, sharedBuffersMb: 256 }),
  ] as const;
  try {
    return await Promise.all(starting);
  } catch (error) {
    for (const server of await Promise.allSettled(starting))
      if (server.status === "fulfilled") await server.value.stop();
    throw error;
  }
}

function types(): Promise<boolean> {
  return command("typecheck", "tsc", ["--noEmit"]);
}

async function command(title: string, program: string, args: readonly string[]): Promise<boolean> {
  const child = spawn(program, args, { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  process.stdout.write(`${code === 0 ? "✔" : "✖"} ${title}\n`);
  return code === 0;
}

/** Runs the files of `patterns`, `concurrency` at a time, and prints node's own report. */
async function tests(
  patterns: readonly string[],
  { concurrency, exclude = [] }: { concurrency: number; exclude?: readonly string[] },
): Promise<boolean> {
  // Backwards by name: the longest files are upgrades of pairs of releases, and begun last they would run on alone at the end.
  const files = globSync(patterns, { exclude: ["**/node_modules/**", ...exclude] })
    .sort()
    .reverse();
  let failed = false;
  const skipped: string[] = [];
  const events = run({ files, concurrency, timeout: 45 * 60_000, signal: interrupted.signal });
  events.on("test:fail", (event) => {
    // A test marked as todo may fail.
    if (event.todo === undefined || event.todo === false) failed = true;
  });
  events.on("test:pass", ({ name, skip, file }) => {
    if (skip === undefined || skip === false) return;
    if (!honestSkip.test(String(skip))) skipped.push(`${name} (${file}): ${skip}`);
  });
  const report = events.compose(new spec());
  report.pipe(process.stdout, { end: false });
  await finished(report);
  for (const line of skipped) process.stdout.write(`✖ skipped, though this machine could have run it: ${line}\n`);
  return !failed && skipped.length === 0 && !interrupted.signal.aborted;
}

// `npm test` and its relatives: node scripts/test.ts unit | standard | full
//   unit      the rooms' own tests that need no server, start no command, take no database through all releases and try no whole matrix,
//             on SQLite; within a minute
//   standard  lint, types, all of the rooms' tests on SQLite, MariaDB and PostgreSQL, and the whole-process tests but for the take-overs of a running
//             Glance, with a sample of their matrices
//   full      the take-overs, and those of the whole-process tests that have matrices, with all of them, but for the bad release and the rollback that standard has
// All of them share one private MariaDB and one private PostgreSQL. A test that was skipped fails the run, unless it says that this machine cannot run it;
// so does a file without a test, or that ended before its tests had.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, globSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { startMariadb } from "../test/servers/mariadb.ts";
import { startPostgresql } from "../test/servers/postgresql.ts";
import { shareCompileCache } from "./compile-cache.ts";
import { ensurePackages } from "./ensure-packages.ts";
import { runTests } from "./test-run.ts";

const modes = ["unit", "standard", "full"] as const;
type Mode = (typeof modes)[number];

const rooms = ["src/**/*.test.ts", "test/*.test.ts"];
/** They start processes, a second or more for each, walk through all releases or a matrix, wait, or are about one kind of server. */
const notUnit = [
  "src/**/*.fuzz.test.ts",
  "src/api/*matrix*.test.ts",
  "src/cli/**",
  "src/console/page-folder.test.ts",
  "src/db/backup/**",
  "src/db/{dialects,schema}/{mysql,postgresql}/**",
  "src/db/schema/{check,clock,disk-full,foreign-expand,hand-altered,jump,live,migrate-controls,mid-release,phases,resume}.test.ts",
  "src/formats/qemu-img.test.ts",
  "src/identity/keystone/keystone.test.ts",
  "src/images/notifications/bus/amqp-bus.test.ts",
  "src/rollout/balancers/**",
  "src/rollout/nodes/**",
  "src/rollout/schema-phase.test.ts",
];
const demoAndServers = ["demo/**/*.test.ts", "test/servers/*.test.ts", "scripts/**/*.test.ts", "bench/**/*.test.ts"];
/** All the others, so that a new folder is not forgotten. */
const wholeProcess = ["test/*/**/*.test.ts"];
/** The first run elsewhere, the others only in the full run. */
const notWholeProcess = [
  "test/servers/**",
  "test/compat/mixed/{foreign-store,seeds}.test.ts",
  "test/takeover/{half-way,whole}.test.ts",
  "test/upgrade/hand-over/demo.test.ts",
  "test/upgrade/pairs/over-releases-{mariadb,sqlite}.test.ts",
  "test/upgrade/versions/**",
];
const matrices = [
  "test/console/console.test.ts",
  "test/upgrade/{bad-release,galera,hand-over,keystone,kill,mixed,pairs,versions}/**/*.test.ts",
  "test/compat/mixed/{foreign-store,seeds}.test.ts",
  "test/compat/reference-manage.test.ts",
  "src/rollout/simulation.test.ts",
  "test/upgrade/rollback.test.ts",
];
/**
 * A rollout that was killed leaves a lease to wait for, one fleet goes through all releases, and what is taken over is in Python: begun last they
 * would run on alone.
 */
const longest = [
  "test/upgrade/kill/rollout-killed.test.ts",
  "test/upgrade/pairs/each-to-the-next.test.ts",
  "test/takeover/half-way.test.ts",
  "test/takeover/whole.test.ts",
];
const groupFiles = 12;
const memoryBytesMin = 4 * 2 ** 30;

/** Ends the test files' processes too: whoever stops the run would otherwise have to find them. */
const interrupted = new AbortController();
const { signal } = interrupted;
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupted.abort());

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
    const files = inGroups(filesOf(rooms, notUnit));
    return tell(await inMemory(() => runTests(files, { concurrency: 2, fileMinutesMax: 10, signal })));
  }
  const [mariadb, postgresql] = await startServers();
  try {
    process.env.PERENNIAL_TEST_MARIADB = mariadb.url("");
    process.env.PERENNIAL_TEST_POSTGRESQL = postgresql.url("");
    process.env.PERENNIAL_TESTS = mode === "full" ? "full" : "standard";
    const failures: string[] = [];
    if (mode === "standard") {
      const files = filesOf([...rooms, ...demoAndServers]);
      failures.push(...(await inMemory(() => runTests(files, { concurrency: 3, fileMinutesMax: 10, signal }))));
    }
    const [files, fileMinutesMax] =
      mode === "full"
        ? [[...longest, ...filesOf(matrices, longest)], 60]
        : [filesOf(wholeProcess, notWholeProcess), 20];
    failures.push(...(await runTests(files, { concurrency: 3, fileMinutesMax, signal })));
    return tell(failures);
  } finally {
    await Promise.all([mariadb.stop(), postgresql.stop()]);
  }
}

/** At the end of all, where they are seen though no more of the output is kept; true where there is nothing to tell. */
function tell(failures: readonly string[]): boolean {
  for (const failure of failures) process.stdout.write(`✖ ${failure}\n`);
  return failures.length === 0;
}

/**
 * Runs `work` with its temporary files in memory, where there is room: the rooms' tests make some thousand databases, each of which would
 * wait for the disk again and again. Tests of whole processes stay on the disk.
 */
async function inMemory<T>(work: () => Promise<T>): Promise<T> {
  const memory = "/dev/shm";
  if (!existsSync(memory)) return await work();
  const { bavail, bsize } = statfsSync(memory);
  if (bavail * bsize < memoryBytesMin) return await work();
  const before = process.env.TMPDIR;
  // A short name: the addresses of sockets below it end after 107 characters.
  const folder = mkdtempSync(join(memory, "p-"));
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

async function types(): Promise<boolean> {
  const sources = await command("typecheck", "tsc", ["--noEmit"]);
  return (await command("typecheck of the console's page", "tsc", ["--noEmit", "-p", "console"])) && sources;
}

async function command(title: string, program: string, args: readonly string[]): Promise<boolean> {
  const child = spawn(program, args, { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  process.stdout.write(`${code === 0 ? "✔" : "✖"} ${title}\n`);
  return code === 0;
}

/** Backwards by name: upgrades of pairs of releases are among the longest, and begun last they would run on alone at the end. */
function filesOf(patterns: readonly string[], exclude: readonly string[] = []): readonly string[] {
  return globSync(patterns, { exclude: ["**/node_modules/**", ...exclude] })
    .sort()
    .reverse();
}

/**
 * Files that import a dozen test files each: most of a small file's time is the start of its process. Only where a minute counts: elsewhere
 * each file has a process of its own, and what one leaves behind cannot help or harm another.
 */
function inGroups(files: readonly string[]): readonly string[] {
  const folder = join("node_modules", ".cache", "test-groups");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const groups = Array.from({ length: Math.ceil(files.length / groupFiles) }, (_, index) => ({
    path: join(folder, `${index + 1}.test.mjs`),
    files: files.slice(index * groupFiles, (index + 1) * groupFiles),
  }));
  for (const group of groups)
    writeFileSync(group.path, group.files.map((file) => `import ${JSON.stringify(resolve(file))};\n`).join(""));
  return groups.map((group) => group.path);
}

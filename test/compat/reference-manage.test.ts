// Beside the real glance-manage of Debian's package (Zed): it takes our databases at every release that it knows for its own, we take its
// at every revision, each finishes what the other began, and both end with the same schema.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { binary } from "../../demo/processes.ts";
import { openDatabase } from "../../src/db/connect.ts";
import { shapeOf } from "../../src/db/schema/testing/shape.ts";
import { newestRelease, type Release, releaseOf, releases } from "../../src/releases/catalogue.ts";
import { type MariadbServer, startMariadb } from "../servers/mariadb.ts";
import { isFull } from "../upgrade/scope.ts";

/** What the package can bring a database to; Xena to Zed wrote no revisions of their own. */
const newestKnown = releaseOf("zed");
const known = releases.filter((release) => release.revisions.length > 0 && release.level <= newestKnown.level);
const revisions = [
  "mitaka02",
  ...known.flatMap((one) => one.revisions.flatMap((pair) => [pair.expand, pair.contract])),
];
const dueCodes = { nothing: 0, expand: 3, contract: 5 };

const ours = binary("glance-manage");
let server: MariadbServer;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "perennial-reference-"));
  server = await startMariadb();
});
after(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

type Answer = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs it to its end; a non-zero exit code is an answer too. */
function run(program: string, args: readonly string[]): Promise<Answer> {
  // Loopback calls of Python programs would leave through a proxy.
  const env = { ...process.env, http_proxy: "", https_proxy: "" };
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { env }, (error, stdout, stderr) => {
      if (error && child.exitCode === null) reject(error);
      else resolve({ code: child.exitCode ?? 0, stdout: stdout.trim(), stderr });
    });
  });
}

/** A database of its own, with one command each for the two tools; both return what they print on stdout. */
async function makeDatabase() {
  const url = await server.createDatabase();
  const config = join(folder, `${new URL(url).pathname.slice(1)}.conf`);
  const connection = `${url.replace("mysql://", "mysql+pymysql://")}?charset=utf8`;
  await writeFile(config, `[DEFAULT]\nlog_file = ${folder}/log\n[database]\nconnection = ${connection}\n`);
  const must = async (program: string, args: readonly string[]) => {
    const { code, stdout, stderr } = await run(program, args);
    assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const [node, script] = ours;
  const theirArgs = (args: readonly string[]) => ["--config-file", config, "db", ...args];
  return {
    theirs: (...args: readonly string[]) => must("glance-manage", theirArgs(args)),
    /** The exit code of its `db check`. */
    theirCheck: async () => (await run("glance-manage", theirArgs(["check"]))).code,
    ours: (...args: readonly string[]) => must(node, [script, ...theirArgs(args)]),
    ourCheck: async (to: string) => (await run(node, [script, ...theirArgs(["check", "--to", to])])).code,
    async shape() {
      const db = await openDatabase(url);
      try {
        return await shapeOf(db);
      } finally {
        await db.close();
      }
    },
  };
}
type MadeDatabase = Awaited<ReturnType<typeof makeDatabase>>;

/** It knows the heads, and says what is due on the way to its own newest release, whatever release ours is at. */
async function assertAccepted(made: MadeDatabase, heads: readonly string[], due: keyof typeof dueCodes): Promise<void> {
  const [version, code] = await Promise.all([made.theirs("version"), made.theirCheck()]);
  assert.deepEqual(version.split("\n").sort(), [...heads].sort());
  assert.equal(code, dueCodes[due], `its db check at ${heads}`);
}

async function goOn(made: MadeDatabase, target: Release): Promise<void> {
  for (const phase of ["expand", "migrate", "contract"]) await made.ours(phase, "--to", target.id);
}

let newestShape: ReturnType<MadeDatabase["shape"]> | undefined;

/** Of a database that we made at the newest release. */
function shapeOfNewest(): ReturnType<MadeDatabase["shape"]> {
  newestShape ??= makeDatabase().then(async (made) => {
    await made.ours("sync");
    return made.shape();
  });
  return newestShape;
}

test("reference: it takes our database for its own at every release, and between them", async () => {
  const made = await makeDatabase();
  await made.ours("sync", "--to", "newton");
  await assertAccepted(made, ["mitaka02"], "expand");
  for (const release of isFull ? known : known.slice(-1)) {
    const isLast = release.level === newestKnown.level;
    await made.ours("expand", "--to", release.id);
    const expanded = (await made.ours("version")).split("\n");
    await assertAccepted(made, expanded, isLast ? "contract" : "expand");
    await made.ours("migrate", "--to", release.id);
    await made.ours("contract", "--to", release.id);
    await assertAccepted(made, [release.heads.contracted], isLast ? "nothing" : "expand");
  }
});

for (const revision of isFull ? revisions : ["rocky_expand01"])
  test(`reference: its database at ${revision} is ours to take to the newest release`, async () => {
    const made = await makeDatabase();
    await made.theirs("upgrade", revision);
    assert((await made.ours("version")).split("\n").includes(revision));
    assert.equal(await made.ourCheck(newestRelease.id), dueCodes.expand);
    await goOn(made, newestRelease);
    assert.deepEqual(await made.shape(), await shapeOfNewest());
  });

test("reference: what it expanded in one go, triggers and all, is ours to migrate and contract", async () => {
  const made = await makeDatabase();
  await made.theirs("upgrade", "mitaka02");
  await made.theirs("expand");
  const { triggers = [] } = await made.shape();
  assert.deepEqual(triggers, ["insert_visibility", "update_visibility"]);
  await goOn(made, newestRelease);
  assert.deepEqual(await made.shape(), await shapeOfNewest());
});

test("reference: it contracts what we expanded, and we see the end of it", async () => {
  const [made, fresh] = [await makeDatabase(), await makeDatabase()];
  await made.ours("sync", "--to", "newton");
  await made.ours("expand", "--to", "ocata");
  await made.theirs("upgrade", "ocata_contract01");
  assert.equal(await made.ours("check", "--to", "ocata"), "Database is up to date. No upgrades needed.");
  // Our triggers, which it does not know, go with the next command of ours.
  assert.equal(await made.ours("expand", "--to", "ocata"), "Database is up to date. No migrations needed.");
  await fresh.ours("sync", "--to", "ocata");
  assert.deepEqual(await made.shape(), await fresh.shape());
});

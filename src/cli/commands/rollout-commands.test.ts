// glance-rollout as a command: what is wrong is told in one line with the documented exit code, and nothing is changed.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { systemClock } from "../../core/clock.ts";
import { openDatabase } from "../../db/connect.ts";
import { createRolloutJournalRepository } from "../../db/repositories/rollout-journal-repository.ts";
import { createRolloutLeaseRepository } from "../../db/repositories/rollout-lease-repository.ts";
import { createRolloutRequestRepository } from "../../db/repositories/rollout-request-repository.ts";
import { sync } from "../../db/schema/sync.ts";
import { releaseOf } from "../../releases/catalogue.ts";
import { loadFleet } from "../../rollout/fleet.ts";
import { chainLine, chainStart } from "../../rollout/journal-chain.ts";
import { RolloutLease } from "../../rollout/lease.ts";
import { exitCodes } from "../exit-codes.ts";
import { databaseConfig } from "./rollout-parts.ts";

const bin = fileURLToPath(new URL("../../../bin/glance-rollout.js", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "perennial-rollout-cli-"));
after(() => rmSync(root, { recursive: true }));

type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };
function rollout(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });
}
function fleet(name: string, change: object = {}): string {
  const folder = join(root, name);
  mkdirSync(join(folder, "n1"), { recursive: true });
  writeFileSync(join(folder, "n1", "glance-api.conf"), "[perennial]\nrelease = newton\n");
  const file = join(folder, "fleet.yaml");
  const tree = {
    name: "glance",
    target: "ocata",
    journal: "journal",
    database: { connection: `sqlite:///${join(folder, "absent.sqlite")}` },
    backup: { directory: "backup" },
    nodes: [{ name: "n1", driver: "local", address: "127.0.0.1:9", directory: "n1", config: "n1/glance-api.conf" }],
    balancer: { driver: "builtin", listen: "127.0.0.1:9", admin: "admin.sock" },
    capacity: { serving_min: 0 },
    ...change,
  };
  writeFileSync(file, stringify(tree));
  return file;
}
function expectLine(ended: Ended, code: number, line: RegExp): void {
  assert.equal(ended.code, code, ended.stderr);
  assert.match(ended.stderr, line);
  assert.equal(ended.stderr.trimEnd().split("\n").length, 1, ended.stderr);
}

test("help names every command and the exit codes, and gives examples", async () => {
  const { code, stdout } = await rollout("--help");
  assert.equal(code, 0);
  for (const word of [
    "plan",
    "run",
    "status",
    "pause",
    "resume",
    "abort",
    "history",
    "report",
    "balancer",
    "paused: it stands where it is",
  ])
    assert(stdout.includes(word), word);
  const help = await rollout("run", "--help");
  assert.match(help.stdout, /Examples:\n {2}glance-rollout run --fleet/);
});

test("an unknown command or a missing option is a usage error", async () => {
  assert.equal((await rollout("upgrade")).code, exitCodes.usage);
  assert.equal((await rollout("run", "--fleet", "f", "--force")).code, exitCodes.usage);
});

test("a wrong fleet file is refused with place and remedy", async () => {
  const file = fleet("wrong", { target: "ocaat" });
  for (const command of ["run", "balancer"])
    expectLine(
      await rollout(command, "--fleet", file),
      exitCodes.badConfig,
      /target is "ocaat"; allowed: newton, ocata/,
    );
});

test("a node's configuration that names no release is refused before anything is touched", async () => {
  const file = fleet("node-config");
  writeFileSync(join(root, "node-config", "n1", "glance-api.conf"), "[perennial]\nrelease = newtom\n");
  expectLine(
    await rollout("plan", "--fleet", file),
    exitCodes.badConfig,
    /line 2: \[perennial\] release: "newtom" is not allowed/,
  );
});

test("a database or a balancer that cannot be reached is named", async () => {
  const file = fleet("unreachable");
  const absent = await rollout("run", "--fleet", file, "--yes");
  expectLine(absent, exitCodes.databaseUnavailable, /absent\.sqlite does not exist; correct the fleet file's database/);
  const path = join(root, "unreachable", "absent.sqlite");
  writeFileSync(path, "");
  expectLine(await rollout("plan", "--fleet", file), exitCodes.failed, /none of the image service's/);
  const db = await openDatabase(`sqlite:///${path}`);
  await db.run("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)");
  await db.run("INSERT INTO alembic_version VALUES ('mitaka02')");
  await db.close();
  const line = /the balancer at .*admin\.sock cannot be asked .*glance-rollout balancer/;
  expectLine(await rollout("plan", "--fleet", file), exitCodes.failed, line);
});

test("the password of a connection never shows; the file made of it for glance-manage is ours alone", async () => {
  const file = fleet("secret", { database: { connection: "mysql://glance:s3$cret@127.0.0.1:1/glance" } });
  const ended = await rollout("plan", "--fleet", file);
  expectLine(ended, exitCodes.databaseUnavailable, /127\.0\.0\.1:1/);
  assert.doesNotMatch(ended.stderr + ended.stdout, /s3/);
  assert(!existsSync(join(root, "secret", "journal")), "plan changes nothing");
  const path = databaseConfig(loadFleet(file));
  assert.match(readFileSync(path, "utf8"), /s3\$\$cret/);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("a rollout that cannot ask wants to be told that it may begin", async () => {
  const file = fleet("unasked");
  expectLine(await rollout("run", "--fleet", file), exitCodes.usage, /nobody can be asked here.*--yes/);
});

test("a second rollout of the same fleet is refused, naming the first", async () => {
  const file = fleet("twice");
  const module = new URL("../../rollout/fleet-lock.ts", import.meta.url).href;
  const script = `(await import(${JSON.stringify(module)})).acquireFleetLock(${JSON.stringify(join(root, "twice", "journal"))}, "glance");
    console.log("held"); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await once(holder.stdout, "data");
    expectLine(
      await rollout("run", "--fleet", file, "--yes"),
      exitCodes.locked,
      new RegExp(`under way \\(process ${holder.pid},`),
    );
  } finally {
    holder.kill("SIGKILL");
  }
  assert.deepEqual(
    readdirSync(join(root, "twice", "journal")).filter((name) => name.endsWith(".jsonl")),
    [],
  );
});

test("pause, resume and abort are asked from anywhere and stand in the database; history and report read its journal", async () => {
  const file = fleet("requests");
  const folder = join(root, "requests");
  const path = join(folder, "absent.sqlite");
  writeFileSync(path, "");
  const url = `sqlite:///${path}`;
  const db = await openDatabase(url);
  await sync({ db, target: releaseOf("newton") });
  const json = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await rollout(...args, "--fleet", file, "--json");
    assert.equal(code, exitCodes.ok, stderr);
    return JSON.parse(stdout || "null");
  };
  assert.equal(await json("history"), null);
  expectLine(await rollout("report", "--fleet", file), exitCodes.badConfig, /has no rollout yet/);
  const paused = await json("pause");
  assert.deepEqual([paused.request, paused.running], ["pause", false]);
  assert.equal((await createRolloutRequestRepository(db).find())?.do, "pause");
  assert.match((await json("resume")).text, /the pause is over; go on with: glance-rollout run/);
  assert.match((await json("resume")).text, /nothing was paused/);
  assert.equal((await json("abort")).aborted, false);
  // A rollout that was begun on another host: its journal is in the database alone.
  const lease = await RolloutLease.take(createRolloutLeaseRepository(db), {
    clock: systemClock,
    signal: new AbortController().signal,
  });
  const [id, journal] = ["glance-ocata-20260101T000000Z", createRolloutJournalRepository(db)];
  const text = "drain n1: it serves newton";
  const begun = { seq: 1, time: "2026-01-01T00:00:00.000Z", kind: "decision", phase: "nodes", text } as const;
  await journal.add(id, [chainLine({ ...begun, data: { do: "drain" } }, chainStart(id))], lease.held);
  assert.deepEqual([(await json("history")).rollout, (await json("history")).state], [id, "running"]);
  await lease.release();
  assert.equal((await json("abort")).aborted, true);
  assert.equal(await createRolloutRequestRepository(db).find(), undefined);
  const report = await json("report", id);
  assert.deepEqual([report.state, report.broken, report.events.length], ["aborted", null, 2]);
  assert.deepEqual(report.copies, { database: 2, disk: 2 });
  await db.run("UPDATE perennial_rollout_journal SET entry = REPLACE(entry, 'newton', 'mitaka') WHERE seq = 1");
  const tampered = await rollout("report", "--fleet", file);
  assert.equal(tampered.code, exitCodes.failed);
  assert.match(tampered.stdout, /broken at entry 1 \(database\): it was changed after it was written/);
  const page = join(folder, "report.html");
  const written = await rollout("report", id, "--fleet", file, "--out", page);
  assert.equal(written.code, exitCodes.failed, "made, and not all of it can be trusted");
  assert.match(readFileSync(page, "utf8"), /given up by [\s\S]*broken at entry 1/i);
  await db.close();
});

test("the embedded balancer is only run for a fleet that has it", async () => {
  const file = fleet("haproxy", { balancer: { driver: "haproxy", socket: "s", backend: "b" } });
  expectLine(await rollout("balancer", "--fleet", file), exitCodes.badConfig, /balancer\.driver is not builtin/);
});

test("deploy: the sample fleet file is right, and fits the sample haproxy.cfg", async () => {
  const deploy = (name: string) => readFileSync(new URL(`../../../deploy/${name}`, import.meta.url), "utf8");
  const text = deploy("fleet.yaml");
  const folder = join(root, "sample");
  const local = text.replaceAll("/etc/glance/", `${folder}/etc/`).replaceAll("/var/", `${folder}/var/`);
  const sample = parse(local) as {
    nodes: { name: string; address: string; directory: string }[];
    balancer: { backend: string; socket: string };
  };
  for (const node of sample.nodes) {
    mkdirSync(node.directory, { recursive: true });
    mkdirSync(join(folder, "etc", node.name), { recursive: true });
    writeFileSync(
      join(folder, "etc", node.name, "glance-api.conf"),
      `[database]\nconnection = sqlite:///${folder}/none.sqlite\n`,
    );
  }
  writeFileSync(join(folder, "fleet.yaml"), local);
  const ended = await rollout("status", "--fleet", join(folder, "fleet.yaml"));
  assert.notEqual(ended.code, exitCodes.badConfig, ended.stderr);
  const haproxy = deploy("haproxy.cfg");
  assert(haproxy.includes(`backend ${sample.balancer.backend}\n`));
  assert(haproxy.includes(`stats socket ${sample.balancer.socket} `));
  for (const { name, address } of sample.nodes) assert(haproxy.includes(`server ${name} ${address}\n`));
});

test("deploy: systemd takes the sample unit", async (t) => {
  if (!existsSync("/usr/bin/systemd-analyze")) return t.skip("this machine has no systemd-analyze");
  const sample = readFileSync(new URL("../../../deploy/glance-api.service", import.meta.url), "utf8");
  // The program has to be there.
  const text = sample.replace("ExecStart=/usr/bin/glance-api", "ExecStart=/bin/true");
  const file = join(root, "glance-api.service");
  writeFileSync(file, text);
  const verify = (path: string) =>
    new Promise<string>((resolve, reject) => {
      execFile("/usr/bin/systemd-analyze", ["verify", path], (error, stdout, stderr) =>
        error ? reject(error) : resolve(stdout + stderr),
      );
    });
  // It tells of other units of this machine too, and ends with 0 whatever it tells.
  assert(!(await verify(file)).includes("glance-api.service"));
  writeFileSync(file, text.replace("\nNotifyAccess=", "\nNotifyAcess="));
  assert.match(await verify(file).catch(String), /glance-api\.service/);
});

test("deploy: HAProxy takes the sample haproxy.cfg", async () => {
  const file = fileURLToPath(new URL("../../../deploy/haproxy.cfg", import.meta.url));
  const ended = await new Promise<Ended>((resolve) => {
    execFile("/usr/sbin/haproxy", ["-c", "-f", file], (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) || 1 : 0, stdout, stderr }),
    );
  });
  assert.equal(ended.code, 0, ended.stderr);
});

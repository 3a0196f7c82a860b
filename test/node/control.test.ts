// glance-control with real nodes and a real scrubber: they are started in the background, found by their pid files, and nobody else is signalled.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { stop } from "../../src/cli/control-acts.ts";
import { ControlledServer } from "../../src/cli/controlled-server.ts";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { eventually } from "../servers/eventually.ts";
import { freePort } from "../servers/free-port.ts";
import { Site } from "./node-process.ts";

const site = new Site();
const script = fileURLToPath(new URL("../../bin/glance-control.js", import.meta.url));
const pidFiles: string[] = [];

before(() => site.createDatabase(newestRelease.id));
after(() => {
  for (const file of pidFiles) if (existsSync(file)) kill(pidIn(file), "SIGKILL");
});

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

const pidIn = (file: string) => Number(readFileSync(file, "utf8"));
const lives = (pid: number) =>
  existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";

function begin(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [script, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
}

async function control(args: readonly string[], env: Record<string, string> = {}) {
  const child = begin(args, env);
  const { stdout, stderr } = child;
  assert(stdout && stderr);
  const [out, err, [code]] = await Promise.all([text(stdout), text(stderr), once(child, "exit")]);
  return { code: code as number | null, out, err };
}

/** A node's configuration, on a free port, and words for glance-control about it. */
async function newNode(name: string, options: { pidFileOption?: boolean } = {}) {
  const port = await freePort();
  const pidFile = join(site.folder, `${name}.pid`);
  pidFiles.push(pidFile);
  const log = join(site.folder, `${name}.log`);
  const config = site.writeConfig(name, {
    DEFAULT: { bind_port: port, log_file: log },
    ...(options.pidFileOption ? {} : { perennial: { node_name: name, pid_file: pidFile, drain_settle_seconds: 0.2 } }),
  });
  const more = options.pidFileOption ? ["--pid-file", pidFile] : [];
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    pidFile,
    log: () => readFileSync(log, "utf8"),
    config,
    run: (command: string, ...args: readonly string[]) => control(["api", command, config, ...more, ...args]),
    healthy: () => eventually("the node serves", async () => (await fetch(`${url}/healthcheck`)).ok, { msMax: 60_000 }),
  };
}

test("glance-control: a node is started, found, reloaded, restarted and stopped, each twice at will", async () => {
  const node = await newNode("whole");
  assert.deepEqual(await node.run("status"), { code: 1, out: "glance-api is stopped\n", err: "" });
  const started = await node.run("start");
  assert.equal(started.code, 0, started.err);
  const pid = pidIn(node.pidFile);
  assert.equal(started.out, `Started glance-api (pid ${pid})\n`);
  await node.healthy();
  assert.match((await node.run("start")).out, new RegExp(`\\(pid ${pid}\\) is running already`));
  const status = await node.run("status", "--json");
  assert.deepEqual(JSON.parse(status.out), [{ server: "glance-api", state: "running", pid, pid_file: node.pidFile }]);
  assert.equal((await node.run("status")).out, `glance-api (pid ${pid}) is running...\n`);
  for (const command of ["reload", "force-reload"]) {
    const before = node.log().split("reloaded").length;
    assert.equal((await node.run(command)).code, 0);
    await eventually("it has reloaded", () => node.log().split("reloaded").length > before, { msMax: 60_000 });
  }
  const restarted = await node.run("restart");
  assert.equal(restarted.code, 0, restarted.err);
  assert.notEqual(pidIn(node.pidFile), pid);
  assert(!lives(pid), "one has ended before the other began");
  await node.healthy();
  const stopped = await node.run("stop");
  assert.match(stopped.out, /^Stopping glance-api .*\nglance-api has stopped\n$/);
  assert.deepEqual([stopped.code, existsSync(node.pidFile), existsSync(`${node.pidFile}.stopping`)], [0, false, false]);
  assert.deepEqual(await node.run("stop"), { code: 0, out: "glance-api is stopped already\n", err: "" });
  assert.match((await node.run("reload")).err, /^glance-control: glance-api is stopped: there is nothing to reload\n$/);
});

test("glance-control: told to stop again and again, a node finishes the upload that it has", async () => {
  const node = await newNode("upload");
  assert.equal((await node.run("start")).code, 0);
  await node.healthy();
  const token = { "x-auth-token": "alice:p1:member" };
  const body = JSON.stringify({ disk_format: "raw", container_format: "bare" });
  const created = await fetch(`${node.url}/v2/images`, { method: "POST", headers: token, body });
  const { id } = (await created.json()) as { id: string };
  const headers = { ...token, "content-type": "application/octet-stream", "content-length": 10 };
  const upload = request(`${node.url}/v2/images/${id}/file`, { method: "PUT", headers });
  const answered = once(upload, "response");
  upload.write("first");
  const show = async () =>
    (await (await fetch(`${node.url}/v2/images/${id}`, { headers: token })).json()) as { status: string };
  await eventually("the upload has begun", async () => (await show()).status === "saving");
  const first = begin(["api", "shutdown", node.config]);
  assert(first.stdout);
  const lines = createInterface(first.stdout)[Symbol.asyncIterator]();
  assert.match((await lines.next()).value ?? "", /^Stopping/);
  assert.equal(JSON.parse((await node.run("status", "--json")).out)[0].state, "stopping");
  const server = new ControlledServer("glance-api", { pidFile: node.pidFile, configFile: undefined });
  const said: string[] = [];
  await stop(server, 0, (line) => said.push(line));
  assert.match(said.join("\n"), /^Still stopping .*\n.* is still at it and ends by itself/);
  assert.match((await node.run("start")).err, /is still finishing what it has/);
  upload.end("other");
  const [response] = await answered;
  assert.equal(response.statusCode, 204);
  assert.equal((await lines.next()).value, "glance-api has stopped");
  if (first.exitCode === null) await once(first, "exit");
  assert.equal(first.exitCode, 0);
});

test("glance-control: a node that took over by hand-over is found by the pid file of the command line", async () => {
  const node = await newNode("handed", { pidFileOption: true });
  assert.equal((await node.run("start")).code, 0);
  await node.healthy();
  const pid = pidIn(node.pidFile);
  kill(pid, "SIGUSR2");
  await eventually("another process has the file", () => pidIn(node.pidFile) !== pid, { msMax: 60_000 });
  assert.match((await node.run("status")).out, new RegExp(`pid ${pidIn(node.pidFile)}\\) is running`));
  assert.equal((await node.run("shutdown")).code, 0);
  assert(!existsSync(node.pidFile));
});

test("glance-control: a pid file that somebody else's process got is no obstacle, and that process is left alone", async () => {
  const node = await newNode("stale");
  const bystander = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)", "glance-api.conf"], {
    stdio: "ignore",
  });
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  await once(bystander, "spawn");
  // Younger than the file, and of the same name: its id was given out again.
  const later = spawn("bash", ["-c", "exec -a glance-api sleep 1000"], { stdio: "ignore" });
  await eventually("it has its name", () =>
    readFileSync(`/proc/${later.pid}/cmdline`, "utf8").startsWith("glance-api"),
  );
  for (const [pid, writtenMs] of [
    [dead, Date.now()],
    [later.pid, Date.now() - 3_600_000],
    [0, Date.now()],
  ] as const) {
    writeFileSync(node.pidFile, `${pid}\n`);
    utimesSync(node.pidFile, writtenMs / 1_000, writtenMs / 1_000);
    const { code, out } = await node.run("stop");
    assert.deepEqual([code, out], [0, `Removed the stale pid file ${node.pidFile}\nglance-api is stopped already\n`]);
  }
  // As Glance's own would be.
  for (const pid of [later.pid, bystander.pid]) {
    writeFileSync(node.pidFile, `${pid}\n`);
    for (const command of ["stop", "start", "reload"]) {
      const { code, err } = await node.run(command);
      assert.equal(code, 1);
      assert.match(err, new RegExp(`names process ${pid}, a glance-api that is not Perennial's; it was left alone`));
    }
  }
  assert(lives(bystander.pid ?? 0) && lives(later.pid ?? 0));
  bystander.kill();
  later.kill();
});

test("glance-control: how a server ended is passed on, where that is waited for", async () => {
  const config = site.writeConfig("no-database", {
    database: { connection: `sqlite:///${join(site.folder, "missing", "glance.sqlite")}`, max_retries: 0 },
  });
  const pidFile = join(site.folder, "no-database.pid");
  const { code, err } = await control(["--await-child", "60", "--pid-file", pidFile, "api", "start", config]);
  assert.match(
    err,
    /^glance-control: glance-api ended with exit code (64|69); its log says why, or `.*glance-api\.js --config-file/,
  );
  assert(code === 64 || code === 69);
  writeFileSync(config, "[DEFAULT]\nworkers = many\n");
  const wrong = await control(["--pid-file", pidFile, "api", "start", config]);
  assert.deepEqual([wrong.code, wrong.out], [78, ""]);
  assert.match(wrong.err, /^glance-control: .*workers/);
});

test("glance-control: with --respawn a node that was killed comes back, and one that was stopped does not", async () => {
  const node = await newNode("respawned");
  const watching = begin(["--respawn", "api", "start", node.config]);
  assert(watching.stdout);
  const lines = createInterface(watching.stdout)[Symbol.asyncIterator]();
  await lines.next();
  const begun = performance.now();
  await node.healthy();
  // One that ends sooner is taken for one that cannot start; a node may serve before that.
  await eventually("it has lived for a second", () => performance.now() - begun > 1_200);
  const pid = pidIn(node.pidFile);
  kill(pid, "SIGKILL");
  assert.match((await lines.next()).value ?? "", /^Started glance-api again/);
  assert.notEqual(pidIn(node.pidFile), pid);
  await node.healthy();
  assert.equal((await node.run("stop")).code, 0);
  assert.match((await lines.next()).value ?? "", /was stopped, or has handed over; it is not started again$/);
});

test("glance-control: --capture-output gives what a server prints to the program logger, a scrubber is one too", async () => {
  const bin = mkdtempSync(join(site.folder, "bin-"));
  writeFileSync(join(bin, "logger"), `#!/bin/sh\necho "$@" > ${bin}/args\nexec cat > ${bin}/log\n`);
  chmodSync(join(bin, "logger"), 0o755);
  const pidFile = join(site.folder, "scrubber", "scrubber.pid");
  pidFiles.push(pidFile);
  const config = site.writeConfig("scrubber", { DEFAULT: { wakeup_time: 1 } });
  const words = ["scrubber", "--pid-file", pidFile, "--capture-output"];
  const env = { PATH: `${bin}:${process.env.PATH}` };
  mkdirSync(join(site.folder, "scrubber"));
  assert.equal((await control([...words, "start", config], env)).code, 0);
  await eventually("the logger was started", () => existsSync(join(bin, "args")));
  assert.equal(readFileSync(join(bin, "args"), "utf8"), "--tag glance-scrubber\n");
  assert.match((await control([...words, "status"])).out, /glance-scrubber \(pid \d+\) is running/);
  assert.match((await control([...words, "reload"])).err, /cannot be reloaded; use restart/);
  const stopped = await control([...words, "stop"]);
  assert.match(stopped.out, /glance-scrubber has stopped\n$/);
  assert(!existsSync(pidFile));
});

test("glance-control: what is asked wrongly is said in a line", async () => {
  for (const [args, line] of [
    [["api"], /missing required argument 'command'/],
    [["registry", "start"], /Allowed choices are all, api, scrubber/],
    [["api", "begin"], /Allowed choices are start, status/],
    [["--await-child", "soon", "api", "start"], /number of seconds/],
    [["--await-child", "1", "--respawn", "api", "start"], /exclude each other/],
    [["--pid-file", "one.pid", "all", "stop"], /name it instead of all/],
  ] as const) {
    const { code, err } = await control(args);
    assert.equal(code, 2, err);
    assert.match(err, line);
  }
  const nowhere = join(site.folder, "no", "such", "folder.pid");
  const { code, err } = await control(["api", "start", site.writeConfig("nowhere"), "--pid-file", nowhere]);
  assert.equal(code, 1);
  assert.match(err, /folder\.pid cannot be written .*--pid-file/);
});

// The example of a whole fleet in deploy/three-nodes is read by what will read it: our own parsers, HAProxy and systemd; and its files agree.
import assert from "node:assert/strict";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { finish } from "../../demo/processes.ts";
import { packagedUnits } from "../../scripts/debian/units.ts";
import { checkConfig } from "../../src/cli/check-config.ts";
import { configuration } from "../../src/cli/wire-options.ts";
import { loadConfig } from "../../src/core/config.ts";
import { parseDatabaseUrl } from "../../src/db/url.ts";
import { loadFleet } from "../../src/rollout/fleet.ts";

const deploy = fileURLToPath(new URL("../../deploy", import.meta.url));
const example = join(deploy, "three-nodes");
const folder = mkdtempSync(join(tmpdir(), "perennial-deploy-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The example's fleet, with its own manage.conf where it says /etc/glance. */
function fleetOfExample() {
  const file = join(folder, "fleet.yaml");
  writeFileSync(
    file,
    readFileSync(join(example, "fleet.yaml"), "utf8").replace("/etc/glance/manage.conf", join(example, "manage.conf")),
  );
  return loadFleet(file);
}

test("deploy: the fleet of the example is right, and HAProxy's file has its nodes", () => {
  const fleet = fleetOfExample();
  assert.deepEqual(
    fleet.nodes.map(({ name }) => name),
    ["images-1", "images-2", "images-3"],
  );
  const haproxy = readFileSync(join(example, "haproxy.cfg"), "utf8");
  for (const { name, address } of fleet.nodes) assert(haproxy.includes(`server ${name} ${address}\n`), name);
  const { balancer } = fleet;
  assert(balancer.driver === "haproxy");
  assert(haproxy.includes(`backend ${balancer.backend}\n`));
  assert(haproxy.includes("stats socket /run/haproxy/admin.sock "));
});

test("deploy: each node's glance-api.conf is taken as it is, and is the fleet's node of that name", () => {
  const manage = loadConfig({ files: [join(example, "manage.conf")], ...configuration });
  assert.deepEqual(manage.unknown, []);
  for (const node of fleetOfExample().nodes) {
    const config = loadConfig({ files: [join(example, node.name, "glance-api.conf")], ...configuration });
    assert.deepEqual(config.unknown, []);
    checkConfig(config);
    const text = readFileSync(join(example, node.name, "glance-api.conf"), "utf8");
    const value = (option: string) => new RegExp(`^${option} = (.*)$`, "m").exec(text)?.[1] ?? assert.fail(option);
    assert.equal(value("node_name"), node.name);
    assert.equal(`${value("bind_host")}:${value("bind_port")}`, node.address);
    assert.equal(parseDatabaseUrl(value("connection")).dialect, "mysql");
    assert(readFileSync(join(example, "manage.conf"), "utf8").includes(`connection = ${value("connection")}\n`));
  }
});

test("deploy: HAProxy takes the example's haproxy.cfg, and it is the sample with other servers", async () => {
  const file = join(example, "haproxy.cfg");
  const ended = await finish(["/usr/sbin/haproxy", "-c", "-f", file]);
  assert.equal(ended.code, 0, ended.stderr);
  const lines = (path: string) =>
    readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line.trim() !== "" && !/^\s*(#|server )/.test(line));
  assert.deepEqual(lines(file), lines(join(deploy, "haproxy.cfg")));
});

test("deploy: systemd takes the units and the example's drop-in, and tells of a word it does not know", async (t) => {
  if (!existsSync("/usr/bin/systemd-analyze")) return t.skip("this machine has no systemd-analyze");
  const units = packagedUnits((name) => readFileSync(join(deploy, name), "utf8"));
  for (const { name, text } of units) {
    // The programs have to be there; the template is looked at as one of its nodes.
    const runnable = text.replace(/^ExecStart=\S+/m, "ExecStart=/bin/true");
    writeFileSync(join(folder, name.replace("@.", "@n1.")), runnable);
  }
  const dropIns = join(folder, "perennial-api.service.d");
  cpSync(join(example, "perennial-api.service.d"), dropIns, { recursive: true });
  const told = async (unit: string) => {
    const words = ["env", `SYSTEMD_UNIT_PATH=${folder}:`, "/usr/bin/systemd-analyze", "verify", join(folder, unit)];
    const { stdout, stderr } = await finish(words);
    // It tells of other units of this machine too.
    return `${stdout}${stderr}`.split("\n").filter((line) => line.includes(folder) || line.includes("perennial"));
  };
  for (const { name } of units) assert.deepEqual(await told(name.replace("@.", "@n1.")), []);
  writeFileSync(join(dropIns, "wrong.conf"), "[Service]\nMemoryHeigh=1G\n");
  assert.match((await told("perennial-api.service")).join("\n"), /wrong\.conf.*MemoryHeigh/);
});

test("deploy: the units drain for as long as it takes, and let a new process take over", () => {
  const units = packagedUnits((name) => readFileSync(join(deploy, name), "utf8"));
  for (const { name, text } of units.filter(
    (unit) => unit.name.startsWith("perennial-api") && unit.name.endsWith(".service"),
  )) {
    // As systemd fills it in.
    const main = "$" + "{MAINPID}";
    for (const line of [
      "Type=notify",
      "NotifyAccess=all",
      "KillMode=mixed",
      // Without it a node that has been handed over is killed as soon as it is told to stop: test/node/hand-over-systemd.test.ts.
      `ExecStop=-/bin/sh -c 'kill -TERM ${main} && exec tail --pid=${main} -s 0.2 -f /dev/null'`,
      "KillSignal=SIGTERM",
      "TimeoutStopSec=infinity",
      "OOMPolicy=continue",
    ])
      assert(text.includes(`\n${line}\n`), `${name}: ${line}`);
    // Node.js compiles what it runs; a node looks for the process that had its name before; a shared store keeps its owner.
    assert.doesNotMatch(text, /^(MemoryDenyWriteExecute|ProtectProc|PrivateUsers|PrivatePIDs|StateDirectory)=/m);
  }
});

/** Instructions of the recipe's last stage, with continued lines joined. */
function lastStage(): ReadonlyMap<string, string> {
  const text = readFileSync(join(deploy, "oci/Containerfile"), "utf8")
    .replace(/^#.*\n/gm, "")
    .replace(/\\\n\s*/g, "");
  const stage = text.slice(text.lastIndexOf("\nFROM "));
  return new Map([...stage.matchAll(/^([A-Z]+) (.*)$/gm)].map(([, word = "", rest = ""]) => [word, rest]));
}

test("deploy: the OCI recipe starts the package's own programs, as its user, and the supervisor itself hears TERM", () => {
  const stage = lastStage();
  const get = (word: string) => stage.get(word) ?? assert.fail(`no ${word}`);
  assert.deepEqual(JSON.parse(get("ENTRYPOINT")), ["/usr/lib/perennial/bin/glance-api"], "in the form without a shell");
  const unit = packagedUnits((name) => readFileSync(join(deploy, name), "utf8")).find(
    ({ name }) => name === "perennial-api.service",
  );
  const started = [...JSON.parse(get("ENTRYPOINT")), ...JSON.parse(get("CMD"))].join(" ");
  assert(unit?.text.includes(`ExecStart=${started}\n`), "as systemd starts it");
  assert.equal(get("USER"), "glance:glance");
  assert.equal(get("STOPSIGNAL"), "SIGTERM");
  const check = JSON.parse(get("HEALTHCHECK").replace(/^.*? CMD /, "")) as string[];
  assert.equal(check[0], "/usr/lib/perennial/runtime/node");
  assert.match(get("COPY"), /^--from=build \/packages\/ /);
});

test("deploy: the OCI recipe's health check tells a node that serves from one that does not", async () => {
  const check = JSON.parse((lastStage().get("HEALTHCHECK") ?? "").replace(/^.*? CMD /, "")) as string[];
  let status = 200;
  const server = createServer((_, response) => response.writeHead(status).end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const [, flag = "", code = ""] = check;
  const ask = () => finish([process.execPath, flag, code.replace(":9292/", `:${port}/`)]).then((ended) => ended.code);
  assert.equal(await ask(), 0);
  status = 503;
  assert.equal(await ask(), 1);
  server.close();
  server.closeAllConnections();
  await once(server, "close");
  assert.equal(await ask(), 1);
});

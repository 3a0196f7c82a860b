// The fleet file: what is right is read with its defaults, what is wrong is refused in one line naming the place and what is allowed.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Ajv } from "ajv";
import { stringify } from "yaml";
import { ServiceError } from "../core/errors.ts";
import { loadFleet } from "./fleet.ts";
import { fleetSchema } from "./fleet-schema.ts";

const folder = mkdtempSync(join(tmpdir(), "perennial-fleet-"));
after(() => rmSync(folder, { recursive: true }));
for (const name of ["n1", "n2", "n3"]) {
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, "glance-api.conf"), "[DEFAULT]\n");
}

type Tree = { [key: string]: unknown };
const node = (name: string, port: number): Tree => ({
  name,
  driver: "local",
  address: `127.0.0.1:${port}`,
  directory: name,
  config: `${name}/glance-api.conf`,
});
const right = (): Tree => ({
  name: "glance",
  target: "ocata",
  journal: "journal",
  database: { config: "n1/glance-api.conf" },
  backup: { directory: "backups" },
  nodes: [node("n1", 9301), node("n2", 9302), node("n3", 9303)],
  balancer: { driver: "builtin", listen: "127.0.0.1:9292", admin: "balancer.sock" },
});
function load(tree: unknown) {
  const file = join(folder, "fleet.yaml");
  writeFileSync(file, typeof tree === "string" ? tree : stringify(tree));
  return loadFleet(file);
}

test("a fleet file is read with its defaults, paths relative to the file", () => {
  const fleet = load(right());
  const second = fleet.nodes[1];
  assert.equal(second?.driver === "local" && second.config, join(folder, "n2/glance-api.conf"));
  assert.equal(fleet.journal, join(folder, "journal"));
  assert.equal(fleet.servingMin, 2);
  assert.deepEqual(fleet.drain, { msMax: 3_600_000, policy: "wait" });
  assert.deepEqual(fleet.gates, { synthetic: true, msMax: 60_000 });
  assert.equal(fleet.balancer.driver === "builtin" && fleet.balancer.admin, join(folder, "balancer.sock"));
});

test("events and metrics: who is told, with defaults; nobody and nowhere where the file says nothing", () => {
  const hook = { command: ["told"] };
  const fleet = load({
    ...right(),
    events: { webhook: { url: "http://h/x" }, hooks: [hook] },
    metrics: { file: "m.prom" },
  });
  const kinds = ["decision", "result"];
  assert.deepEqual(fleet.events, { webhook: { url: "http://h/x", headers: {}, kinds }, hooks: [{ ...hook, kinds }] });
  assert.equal(fleet.metricsFile, join(folder, "m.prom"));
  assert.deepEqual([load(right()).events, load(right()).metricsFile], [{ hooks: [] }, null]);
});

test("batches are numbers of nodes or shares of the fleet; the floor leaves room for the largest, unless it is given", () => {
  const four = [1, 2, 3, 4].map((index) => ({ ...node(`n${Math.min(index, 3)}`, 9300 + index), name: `m${index}` }));
  const nodes = four.map((one, index) => ({ ...one, config: `n${index}/glance-api.conf`, directory: "n1" }));
  mkdirSync(join(folder, "n0"), { recursive: true });
  writeFileSync(join(folder, "n0", "glance-api.conf"), "[DEFAULT]\n");
  const fleet = load({ ...right(), nodes, batches: [1, "10%", "50%"], contract: { soak_seconds: 60 } });
  assert.deepEqual(fleet.batches, [1, 1, 2]);
  assert.equal(fleet.servingMin, 2);
  assert.deepEqual([fleet.soakMs, fleet.health], [60_000, { msMax: 60_000, minMs: 0 }]);
  assert.equal(load({ ...right(), nodes, batches: [3], capacity: { serving_min: 3 } }).servingMin, 3);
  assert.deepEqual(load(right()).batches, [1]);
});

test("a Runtime API address stays as it is, a socket path is relative to the file", () => {
  const at = (socket: string) => {
    const { balancer } = load({ ...right(), balancer: { driver: "haproxy", socket, backend: "glance" } });
    return balancer.driver === "haproxy" ? balancer.sockets[0] : undefined;
  };
  assert.equal(at("127.0.0.1:9999"), "127.0.0.1:9999");
  assert.equal(at("haproxy.sock"), join(folder, "haproxy.sock"));
});

const ssh = (more: Tree = {}): Tree => ({
  name: "n1",
  driver: "ssh",
  address: "10.0.0.1:9292",
  host: "rollout@10.0.0.1",
  config: "/etc/glance/glance-api.conf",
  ...more,
});

test("nodes on hosts of their own may have their configuration at the same path; packages are files here", () => {
  writeFileSync(join(folder, "two.tgz"), "");
  const second = {
    ...ssh(),
    name: "n2",
    address: "10.0.0.2:9292",
    host: "two",
    install: { npm: { ocata: "two.tgz" } },
  };
  const [one, two] = load({ ...right(), nodes: [ssh(), second] }).nodes;
  assert(one?.driver === "ssh" && two?.driver === "ssh");
  assert.deepEqual([one.unit, one.install, one.sudo], ["glance-api.service", null, false]);
  const packages = { ocata: join(folder, "two.tgz") };
  assert.deepEqual(two.install, { by: "npm", packages, root: "/opt/perennial", npm: ["npm"] });
});

const wrong: [string, (tree: Tree) => unknown, RegExp][] = [
  [
    "a webhook without a scheme",
    (tree) => ({ ...tree, events: { webhook: { url: "chat.example.org" } } }),
    /events\.webhook\.url is "chat\.example\.org"; allowed: an http or https URL/,
  ],
  [
    "a batch of nothing",
    (tree) => ({ ...tree, batches: [1, "0%"] }),
    /batches\[1\] is "0%"; allowed: a number of nodes from 1 on, or a share of them from "1%" to "100%"/,
  ],
  ["not YAML", () => "nodes: [", /fleet\.yaml: .*line 1/],
  ["empty", () => "", /the file is empty; allowed: a mapping/],
  ["an unknown key", (tree) => ({ ...tree, tartget: "ocata" }), /tartget is not known; allowed: name, target/],
  [
    "an unknown key of the balancer",
    (tree) => ({ ...tree, balancer: { driver: "haproxy", sokcet: "s", backend: "b" } }),
    /balancer\.sokcet is not known; allowed: driver, socket, sockets, backend/,
  ],
  [
    "an unknown balancer",
    (tree) => ({ ...tree, balancer: { driver: "f5" } }),
    /balancer\.driver is "f5"; allowed: haproxy, builtin, /,
  ],
  [
    "a HAProxy without a socket",
    (tree) => ({ ...tree, balancer: { driver: "haproxy", backend: "b" } }),
    /fleet\.yaml: balancer needs exactly one of: socket, sockets/,
  ],
  [
    "one state file for several HAProxys",
    (tree) => ({ ...tree, balancer: { driver: "haproxy", sockets: ["a", "b"], backend: "b", state_file: "s" } }),
    /balancer\.state_file is one HAProxy's own/,
  ],
  [
    "a health file that all nodes share",
    (tree) => ({ ...tree, balancer: { driver: "health", disable_file: "down", check_seconds: 2 } }),
    /balancer\.disable_file is "down"; allowed: a path with \{node\} in it/,
  ],
  [
    "a host that ssh would take for an option",
    (tree) => ({ ...tree, nodes: [ssh({ host: "-oProxyCommand=x" })] }),
    /nodes\[0\]\.host is "-oProxyCommand=x"; allowed: host, user@host/,
  ],
  [
    "two ways to install",
    (tree) => ({ ...tree, nodes: [ssh({ install: { npm: { ocata: "a" }, command: ["b"] } })] }),
    /nodes\[0\]\.install needs exactly one of: npm, debian, command/,
  ],
  [
    "no package of the target",
    (tree) => ({ ...tree, nodes: [ssh({ install: { debian: { newton: "a" } } })] }),
    /nodes\[0\]\.install\.debian\.ocata is missing: it is the target/,
  ],
  [
    "a package file that is not there",
    (tree) => ({ ...tree, nodes: [ssh({ install: { debian: { ocata: "absent.deb" } } })] }),
    /nodes\[0\]\.install\.debian\.ocata is .*absent\.deb, which does not exist/,
  ],
  ["an unknown release", (tree) => ({ ...tree, target: "octa" }), /target is "octa"; allowed: newton, ocata/],
  [
    "an unknown node driver",
    (tree) => ({ ...tree, nodes: [{ ...node("n1", 1), driver: "telnet" }] }),
    /nodes\[0\]\.driver is "telnet"; allowed: local, ssh, command/,
  ],
  ["a missing key", (tree) => ({ ...tree, backup: {} }), /backup\.directory is missing/],
  ["no database", (tree) => ({ ...tree, database: {} }), /database needs exactly one of: config, connection/],
  [
    "a bad address",
    (tree) => ({ ...tree, nodes: [{ ...node("n1", 1), address: "n1" }] }),
    /nodes\[0\]\.address is "n1"; allowed: host:port/,
  ],
  ["no nodes", (tree) => ({ ...tree, nodes: [] }), /nodes is \[\]; it must NOT have fewer than 1 items/],
  [
    "a drain policy",
    (tree) => ({ ...tree, drain: { policy: "kill" } }),
    /drain\.policy is "kill"; allowed: wait, pause, cut/,
  ],
  [
    "a negative deadline",
    (tree) => ({ ...tree, start: { deadline_seconds: -1 } }),
    /start\.deadline_seconds is -1; it must be >= 1/,
  ],
  [
    "two nodes of one name",
    (tree) => ({ ...tree, nodes: [node("n1", 1), { ...node("n2", 2), name: "n1" }] }),
    /nodes\[1\]\.name is n1, as is nodes\[0\]\.name/,
  ],
  [
    "a missing config file",
    (tree) => ({ ...tree, nodes: [{ ...node("n1", 1), config: "n9/glance-api.conf" }] }),
    /nodes\[0\]\.config is .*n9\/glance-api\.conf, which does not exist/,
  ],
  [
    "a package that is not there",
    (tree) => ({ ...tree, nodes: [{ ...node("n1", 1), packages: { ocata: "nowhere" } }] }),
    /nodes\[0\]\.packages\.ocata is .*nowhere, which does not exist/,
  ],
  [
    "packages without the target",
    (tree) => ({ ...tree, nodes: [{ ...node("n1", 1), packages: { newton: "n1" } }] }),
    /nodes\[0\]\.packages\.ocata is missing: it is the target/,
  ],
  [
    "a floor above the fleet",
    (tree) => ({ ...tree, capacity: { serving_min: 4 } }),
    /capacity\.serving_min is 4; allowed: up to 3/,
  ],
];
for (const [title, change, expected] of wrong) {
  test(`refused in one line: ${title}`, () => {
    assert.throws(
      () => load(change(right())),
      (error: unknown) => {
        assert(error instanceof ServiceError);
        assert.equal(error.code, "rollout.fleet_invalid");
        assert.match(error.message, expected);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      },
    );
  });
}

test("a fleet file that is not there is named", () => {
  assert.throws(() => loadFleet(join(folder, "absent.yaml")), /absent\.yaml: cannot be read/);
});

test("fleet: what it is read against is a JSON Schema itself, which reading takes for granted", () => {
  const ajv = new Ajv({ discriminator: true });
  assert.equal(ajv.validateSchema(fleetSchema), true, ajv.errorsText());
});

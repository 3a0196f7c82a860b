// What the fleet file may say of a node's Glance, and what is wrong with it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type GlanceText, readGlance } from "./glance-schema.ts";
import type { FleetNode } from "./node-schemas.ts";

const local: FleetNode = {
  name: "n1",
  driver: "local",
  address: "10.0.0.1:9292",
  directory: "/var/lib/glance",
  config: "/etc/glance/glance-api.conf",
};
const ssh = {
  name: "n1",
  driver: "ssh",
  address: "10.0.0.1:9292",
  host: "glance-1",
  sshOptions: [],
  sudo: false,
  unit: "ours.service",
  config: "/etc/glance/glance-api.conf",
  systemctl: ["systemctl"],
  journalctl: ["journalctl"],
  install: null,
  installMsMax: 1,
} as const satisfies FleetNode;

test("what a node says goes before what the fleet says, and names are filled in", () => {
  const usual: GlanceText = {
    release: "zed",
    start: ["/usr/bin/glance-api", "--config-file", "{config}"],
    log: "/log/{node}-{port}",
  };
  const read = readGlance(local, usual, { config: ["/etc/a.conf", "/etc/b.conf"], process: "glance-api .*{config}$" });
  assert.deepEqual(read?.start, ["/usr/bin/glance-api", "--config-file", "/etc/a.conf"]);
  assert.deepEqual([read?.log, read?.configs], ["/log/n1-9292", ["/etc/a.conf", "/etc/b.conf"]]);
  assert(read?.process.test("python3 /usr/bin/glance-api --config-file /etc/a.conf"));
  assert(!read?.process.test("python3 /usr/bin/glance-api --config-file /etc/aXconf"), "a dot of a path is a dot");
  assert.equal(readGlance(local, undefined, undefined), null);
});

test("by default an interpreter that runs glance-api is a Glance, and our own node is none", () => {
  const { process } =
    readGlance(local, { release: "zed", unit: "glance-api.service" }, undefined) ?? assert.fail("it is one");
  assert(process.test("/usr/bin/python3 /usr/bin/glance-api --config-file=/etc/glance/glance-api.conf"));
  assert(
    process.test("/usr/bin/uwsgi_python3 --ini /etc/glance/glance-api-uwsgi.ini --wsgi-file /usr/bin/glance-wsgi-api"),
  );
  assert(!process.test("/usr/bin/node /opt/perennial/bin/glance-api.js --config-file /etc/glance/glance-api.conf"));
  assert(!process.test("vi /usr/bin/glance-api"));
});

test("what is missing or contradicts itself is named with the node", () => {
  const wrong: [FleetNode, GlanceText, RegExp][] = [
    [local, { unit: "glance-api.service" }, /glance of n1: release is missing/],
    [local, { release: "zed" }, /exactly one of: unit \(systemd\), start/],
    [local, { release: "zed", unit: "a.service", start: ["a"] }, /exactly one of/],
    [local, { release: "zed", unit: "a.service", process: "(" }, /process is \(, which is no regular expression/],
    [ssh, { release: "zed", unit: "ours.service" }, /the unit of our node as well/],
  ];
  for (const [node, glance, message] of wrong)
    assert.throws(() => readGlance(node, undefined, glance), { code: "rollout.fleet_invalid", message });
});

// The command line of glance-api.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { exitCodes } from "../../src/cli/exit-codes.ts";
import { Site } from "./node-process.ts";

const program = fileURLToPath(new URL("../../bin/glance-api.js", import.meta.url));

type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };

function glanceApi(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });
}

test("command: --help names the options, examples, signals and exit codes", async () => {
  const { code, stdout } = await glanceApi("--help");
  assert.equal(code, 0);
  for (const word of ["--config-file", "--config-dir", "--show-config", "Examples:", "HUP", "QUIT", "USR1", "64", "78"])
    assert(stdout.includes(word), word);
});

test("command: --version is the package's", async () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  assert.deepEqual(await glanceApi("--version"), {
    code: 0,
    stdout: `glance-api (perennial) ${version}\n`,
    stderr: "",
  });
});

test("command: what it does not know is refused with the code for usage", async () => {
  for (const args of [["--bogus"], ["stray"], ["--config-file"]]) {
    const { code, stdout, stderr } = await glanceApi(...args);
    assert.equal(code, exitCodes.usage);
    assert.equal(stdout, "");
    assert.match(stderr, /^error: /);
  }
});

test("command: --show-config prints what is in effect with its origin, and no secret", async () => {
  const site = new Site("mysql://glance:hunter2@db/glance");
  const config = site.writeConfig("shown", {
    DEFAULT: { bind_port: 1234 },
    keystone_authtoken: { password: "swordfish" },
    oslo_messaging_rabbit: { heartbeat_rate: 2 },
  });
  const { code, stdout } = await glanceApi("--config-file", config, "--show-config");
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`^bind_port = 1234  # ${config}:\\d+$`, "m"));
  assert.match(stdout, /^backlog = 4096 {2}# default$/m);
  assert.match(stdout, /^connection = \*\*\*\* /m);
  assert.match(stdout, /^# not known here: oslo_messaging_rabbit\.heartbeat_rate/m);
  assert.match(stdout, /^password = \*\*\*\* /m);
  assert(!/hunter2|swordfish/.test(stdout));
});

test("command: later files win, and files of a folder come after those named", async () => {
  const site = new Site();
  const first = site.writeConfig("first", { DEFAULT: { bind_port: 1 } });
  site.writeConfig("second", { DEFAULT: { bind_port: 2 } });
  const { stdout } = await glanceApi("--config-dir", site.folder, "--config-file", first, "--show-config");
  assert.match(stdout, /^bind_port = 2 {2}#/m);
});

// The Debian package in use: what is in it, and how it behaves when it is installed, upgraded, refused and removed in a copy of this machine.
// systemd does not run there: a script in its place notes what it is asked.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { nodeConfig } from "../../demo/fleet-files.ts";
import { type Finished, finish } from "../../demo/processes.ts";
import { eventually } from "../servers/eventually.ts";
import { freePort } from "../servers/free-port.ts";
import { copyMachine, type MachineCopy, whyNoMachineCopy } from "../servers/machine-copy.ts";
import { commands, explainThemselves, type Installed, serveAnImage, startServing } from "./serving.ts";

type Place = { readonly folder: string; readonly checkout: string; readonly deb: string };

const own = "/usr/lib/perennial/bin";
/** Prints a unit that runs where it is asked for those and the file says so; notes everything else. */
const standIn = `#!/bin/sh
echo "$*" >> /run/asked
case "$1" in list-units) cat /run/units 2>/dev/null || true ;; esac
`;

export function debianTests(where: () => Promise<Place>): void {
  test("debian: every file is root's, and none names a registry, this checkout or where it was built", async () => {
    const { folder, checkout, deb } = await where();
    const listed = await ok(finish(["dpkg-deb", "--contents", deb]));
    const lines = listed.stdout.trimEnd().split("\n");
    assert(lines.length > 500 && lines.every((line) => / root\/root /.test(line)), "root owns all");
    assert(
      lines.every((line) => /^(d|-)rw[x-]r-[x-]r-[x-]|^l/.test(line)),
      "nobody else may write",
    );
    assert(lines.some((line) => /^-rwxr-xr-x .* \.\/usr\/lib\/perennial\/runtime\/node$/.test(line)));
    const root = join(folder, "unpacked");
    await ok(finish(["dpkg-deb", "--raw-extract", deb, root]));
    for (const word of ["registry\\.(npmjs|yarnpkg)", checkout, folder]) {
      const found = await finish(["grep", "-rlaE", "--exclude=LICENSE", word, root]);
      assert.deepEqual([found.code, found.stdout], [1, ""], word);
    }
  });

  const skip = whyNoMachineCopy();
  if (skip) test("debian: installed", { skip }, () => undefined);
  // A suite of its own, whose hook runs when its turn comes: the package is built by then.
  else describe("debian: installed", () => installedTests(where));
}

function installedTests(where: () => Promise<Place>): void {
  let machine: MachineCopy;
  let deb = "";
  const installed: Installed = (name, ...args) => machine.command(`${own}/${name}`, ...args);
  const dpkg = (...args: readonly string[]) => machine.run("dpkg", ...args);
  const put = (path: string, text: string, mode = "644") =>
    machine
      .run(
        "sh",
        "-c",
        'mkdir -p "$(dirname "$1")" && printf %s "$2" > "$1" && chmod "$3" "$1"',
        "put",
        path,
        text,
        mode,
      )
      .then(succeeded);
  const asked = async () => (await machine.run("cat", "/run/asked")).stdout.trimEnd().split("\n");
  const target = async (name: string) => (await machine.run("readlink", "-f", `/usr/bin/${name}`)).stdout.trim();

  before(async () => {
    const place = await where();
    machine = await copyMachine([place.deb, await smallGlance(place.folder)]);
    deb = `${machine.given}/${place.deb.slice(place.deb.lastIndexOf("/") + 1)}`;
    await put("/usr/local/bin/systemctl", standIn, "755");
    succeeded(await machine.run("mkdir", "-p", "/run/systemd/system"));
  });
  after(() => machine?.stop());

  test("debian: installing makes user and folders, and starts nothing", async () => {
    await machine.run("userdel", "glance");
    await machine.run("rm", "-rf", "/var/lib/glance", "/var/log/glance");
    await ok(dpkg("--install", deb));
    assert.deepEqual(await asked(), ["daemon-reload"]);
    const kept = await machine.run("stat", "--format=%U:%G %a", "/var/lib/glance/images", "/var/log/glance");
    assert.equal(kept.stdout, "glance:glance 750\nglance:glance 750\n");
  });

  test("debian: the installed commands tell their version and their help, by the package's own runtime", async () => {
    await explainThemselves(installed, "/", ["glance-api", "glance-manage", "glance-rollout"]);
    await put("/tmp/which.js", "console.log(process.execPath)\n");
    const by = await ok(machine.run("sh", "-c", `$(head -1 ${own}/glance-api | cut -c3-) /tmp/which.js`));
    assert.equal(by.stdout.trim(), "/usr/lib/perennial/runtime/node");
  });

  test("debian: beside Glance its commands stay where they are, and ours come and go with those of its packages", async () => {
    assert.match((await ok(dpkg("--search", "/usr/bin/glance-manage"))).stdout, /^glance-common:/);
    assert.equal(await target("glance-manage"), "/usr/bin/glance-manage");
    assert.equal(await target("glance-rollout"), `${own}/glance-rollout.js`);
    const names = ["glance-api", "glance-common"];
    const format = `--showformat=$\{db:Status-Abbrev} $\{Package}\n`;
    const owners = await machine.run("dpkg-query", "--show", format, ...names);
    const present = names.filter((name) => owners.stdout.includes(`ii  ${name}\n`));
    await ok(dpkg("--remove", "--force-depends", ...present));
    for (const name of commands) assert.equal(await target(name), `${own}/${name}.js`);
    await ok(dpkg("--install", `${machine.given}/glance-api.deb`));
    assert.equal((await ok(machine.run("/usr/bin/glance-api"))).stdout, "Glance\n");
    await ok(dpkg("--remove", "glance-api"));
    assert.equal(await target("glance-api"), `${own}/glance-api.js`);
  });

  test("debian: a node serves an image, an upgrade leaves it running, and it hands over to what was installed", async () => {
    const node = { name: "n1", address: `127.0.0.1:${await freePort()}`, folder: "/var/lib/glance" };
    const config = "/etc/glance/glance-api.conf";
    // What another package left there is not this test's.
    await ok(machine.run("rm", "-rf", "/etc/glance"));
    const connection = "sqlite:////var/lib/glance/glance.sqlite";
    await put(config, nodeConfig({ node, connection, imageFolder: "/var/lib/glance/images", release: "ocata" }));
    await ok(finish(installed("glance-manage", "--config-file", config, "db", "sync"), { msMax: 600_000 }));
    const serving = await startServing(installed("glance-api", "--config-file", config), {
      address: node.address,
      cwd: "/",
    });
    try {
      await serveAnImage(serving.origin);
      // Glance's own removal before has asked for a stop, where no policy-rc.d of this machine forbids that.
      const askedBefore = (await asked()).length;
      await ok(dpkg("--install", deb));
      assert.equal(serving.process.exitCode, null);
      await serveAnImage(serving.origin);
      const words = (await asked()).slice(askedBefore);
      assert(words.length > 0 && words.every((line) => line === "daemon-reload"), words.join("\n"));
      await handOver(machine, `${node.folder}/glance-api.pid`);
      await serveAnImage(serving.origin);
      await ok(machine.run("sh", "-c", 'kill "$(cat "$1")"', "kill", `${node.folder}/glance-api.pid`));
      await eventually(
        "the node is gone",
        () =>
          fetch(serving.origin).then(
            () => false,
            () => true,
          ),
        { msMax: 600_000 },
      );
    } finally {
      serving.process.kill("SIGKILL");
    }
  });

  test("debian: systemd takes the installed units, and finds their programs", async (t) => {
    if ((await machine.run("which", "systemd-analyze")).code !== 0)
      return t.skip("this machine has no systemd-analyze");
    const folder = "/lib/systemd/system";
    await ok(machine.run("cp", `${folder}/perennial-api@.service`, "/tmp/perennial-api@n1.service"));
    const units = ["perennial-api.service", "perennial-api.socket", "perennial-scrubber.service"].map(
      (name) => `${folder}/${name}`,
    );
    for (const unit of [...units, "/tmp/perennial-api@n1.service"]) {
      const { stdout, stderr } = await machine.run("systemd-analyze", "verify", unit);
      // It tells of other units of this machine too.
      const told = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("perennial"));
      assert.deepEqual(told, []);
    }
  });

  test("debian: removing is refused while a node runs; afterwards configuration and images stay, also of a purge", async () => {
    await put("/run/units", "perennial-api.service loaded active running Perennial image service node\n");
    const refused = await dpkg("--remove", "perennial");
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /perennial: stop them first, .*: systemctl stop perennial-api\.service/);
    await explainThemselves(installed, "/", ["glance-manage"]);
    succeeded(await machine.run("rm", "/run/units"));
    await put("/var/lib/glance/images/kept", "data");
    await ok(dpkg("--remove", "perennial"));
    await ok(dpkg("--purge", "perennial"));
    for (const name of commands) assert.notEqual((await machine.run("test", "-L", `/usr/bin/${name}`)).code, 0, name);
    await ok(machine.run("test", "-f", "/etc/glance/glance-api.conf", "-a", "-f", "/var/lib/glance/images/kept"));
    assert.equal((await machine.run("ls", "/usr/lib/perennial")).code, 2, "nothing of the package is left");
  });
}

/** Resolves when another process has the pid file. */
async function handOver(machine: MachineCopy, pidFile: string): Promise<void> {
  const pid = async () => (await machine.run("cat", pidFile)).stdout.trim();
  const old = await pid();
  await ok(machine.run("kill", "-USR2", old));
  const now = await eventually(
    "a new process serves",
    async () => {
      const seen = await pid();
      return seen !== "" && seen !== old && seen;
    },
    { msMax: 600_000 },
  );
  assert.match(now, /^\d+$/);
}

/** As Debian's package of that name has it: a command in /usr/bin. */
async function smallGlance(folder: string): Promise<string> {
  const root = join(folder, "small-glance");
  await mkdir(join(root, "DEBIAN"), { recursive: true });
  await mkdir(join(root, "usr/bin"), { recursive: true });
  const about =
    "Package: glance-api\nVersion: 99\nArchitecture: all\nMaintainer: Nobody <nobody@localhost>\nDescription: small\n";
  await writeFile(join(root, "DEBIAN/control"), about);
  await writeFile(join(root, "usr/bin/glance-api"), "#!/bin/sh\necho Glance\n", { mode: 0o755 });
  const file = join(folder, "glance-api.deb");
  await ok(finish(["dpkg-deb", "--build", "--root-owner-group", root, file]));
  return file;
}

async function ok(running: Promise<Finished>): Promise<Finished> {
  return succeeded(await running);
}

function succeeded(ended: Finished): Finished {
  assert.equal(ended.code, 0, `${ended.stdout}\n${ended.stderr}`);
  return ended;
}

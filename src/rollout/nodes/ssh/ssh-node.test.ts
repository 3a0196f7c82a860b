// The driver `ssh` against the real sshd and a real systemd on three hosts with addresses of their own.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { appendFile, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { eventually } from "../../../../test/servers/eventually.ts";
import { type SshHosts, startSshHosts, whyNoSshHosts } from "../../../../test/servers/ssh-hosts.ts";
import { type Systemd, startSystemd, whyNoSystemd } from "../../../../test/servers/systemd.ts";
import { systemClock } from "../../../core/clock.ts";
import { handOverConformance } from "../../testing/hand-over-conformance.ts";
import { nodeDriverConformance, started } from "../../testing/node-driver-conformance.ts";
import { smallUnit } from "../../testing/small-unit.ts";
import type { InstallAt, SshNodeAt } from "../node-schemas.ts";
import { createSshNode } from "./ssh-node.ts";
import { sshNodeFile } from "./ssh-node-file.ts";

const run = promisify(execFile);
const signal = new AbortController().signal;
const skip = whyNoSshHosts() ?? whyNoSystemd();

if (skip) test("ssh nodes", { skip }, () => undefined);
else tests();

function tests(): void {
  let sshHosts: SshHosts;
  let systemds: readonly Systemd[] = [];
  let made = 0;
  before(async () => {
    sshHosts = await startSshHosts(3);
    systemds = await Promise.all(sshHosts.hosts.map(({ pid }) => startSystemd({ network: pid })));
    // The sockets of ssh go with the hosts.
    process.env.XDG_RUNTIME_DIR = sshHosts.folder;
  });
  after(async () => {
    for (const systemd of systemds) await systemd.stop();
    await sshHosts.stop();
  });

  /** One host after the other has the next node. */
  const make = async (install: InstallAt | null = null) => {
    const index = made++ % sshHosts.hosts.length;
    const host = sshHosts.hosts[index]?.address ?? "";
    const systemd = systemds[index] ?? assert.fail("each host has one");
    const folder = await mkdtemp(join(sshHosts.folder, "node-"));
    const address = `${host}:9292`;
    const { unit, unitText, config, pidFile } = await smallUnit(systemd, folder, address, `node-${made}.service`);
    const at: SshNodeAt = {
      name: "n1",
      driver: "ssh",
      address,
      host: `root@${host}`,
      sshOptions: sshHosts.options,
      sudo: false,
      unit,
      config,
      systemctl: systemd.systemctl,
      journalctl: systemd.journalctl,
      install,
      installMsMax: 120_000,
    };
    const driver = createSshNode(at, systemClock);
    return {
      at,
      folder,
      unitText,
      changeUnit: (text: string) => systemd.unit(unit, text),
      pidFile,
      driver,
      another: () => createSshNode(at, systemClock),
      url: `http://${address}`,
      failAt: (release: string) => appendFile(config, `fail = ${release}\n`),
      deafen: () => appendFile(config, "deaf = yes\n"),
      takeOverWhen: (file: string) => appendFile(config, `take_over_when = ${file}\n`),
      clean: () => driver.cut(signal),
    };
  };

  nodeDriverConformance("ssh", () => make());
  handOverConformance("ssh", () => make());

  test("ssh nodes: each host is another one, with a process of its own at the same port", async () => {
    const nodes = await Promise.all([make(), make(), make()]);
    try {
      for (const { driver } of nodes) await driver.start(signal);
      const told = await eventually(
        "all answer",
        () => Promise.all(nodes.map(async ({ url }) => JSON.parse(await (await fetch(url)).text()))),
        { msMax: 120_000 },
      );
      const seen = await Promise.all(nodes.map(({ driver }) => driver.observe(signal)));
      assert.deepEqual(
        told.map(({ pid }) => pid),
        seen.map(({ pid }) => pid),
      );
      assert.equal(new Set(nodes.map(({ at }) => at.host)).size, 3);
    } finally {
      for (const { clean } of nodes) await clean();
    }
  });

  test("ssh nodes: installing changes the release's line alone; comments, order and mode stay", async () => {
    const { at, driver } = await make();
    const text =
      "# it's ours: $HOME `x`\n[DEFAULT]\nbind_port = 1\n[perennial]\n; here\nrelease: newton\nnode_name = ü\n";
    await writeFile(at.config, text);
    await run("chmod", ["640", at.config]);
    await driver.install("ocata", signal);
    assert.equal(await readFile(at.config, "utf8"), text.replace("release: newton", "release = ocata"));
    assert.equal(statSync(at.config).mode & 0o777, 0o640);
  });

  test("ssh nodes: a tarball is installed beside the one before, which a rollback takes up again", async () => {
    const folder = await mkdtemp(join(sshHosts.folder, "npm-"));
    const pack = async (version: string) => {
      const source = join(folder, version);
      mkdirSync(source);
      const manifest = { name: "small-package", version, bin: { small: "small.js" } };
      await writeFile(join(source, "package.json"), JSON.stringify(manifest));
      await writeFile(join(source, "small.js"), `#!/usr/bin/env node\nconsole.log("${version}");\n`);
      await run("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: source });
      return join(folder, `small-package-${version}.tgz`);
    };
    const packages = { newton: await pack("1.0.0"), ocata: await pack("2.0.0") };
    const root = join(folder, "it's here");
    const npm = ["env", `PATH=${process.env.PATH}`, "npm", "--offline"];
    const { driver } = await make({ by: "npm", packages, root, npm });
    const installed = async () => (await run(join(root, "current/node_modules/.bin/small"))).stdout.trim();
    await driver.install("newton", signal);
    assert.equal(await installed(), "1.0.0");
    await driver.install("ocata", signal);
    await driver.install("ocata", signal);
    assert.equal(await installed(), "2.0.0");
    assert(existsSync(join(root, await readlink(join(root, "previous")), "node_modules/.bin/small")));
    // Neither the network nor the tarball's copying is needed to go back.
    await rm(join(root, "packages"), { recursive: true });
    mkdirSync(join(root, "packages"));
    await driver.install("newton", signal);
    assert.equal(await installed(), "1.0.0");
    assert.equal((await readdir(join(root, "releases"))).length, 2);
    await assert.rejects(driver.install("pike", signal), {
      code: "rollout.driver_failed",
      message: /n1 has no package for pike; add install\.npm\.pike/,
    });
  });

  test("ssh nodes: a Debian package is installed by the host's own tools, and the file of the one before is kept", async () => {
    const folder = await mkdtemp(join(sshHosts.folder, "deb-"));
    const build = async (version: string) => {
      const source = join(folder, version);
      mkdirSync(join(source, "DEBIAN"), { recursive: true });
      mkdirSync(join(source, "opt"));
      const about = `Package: small\nVersion: ${version}\nArchitecture: all\nMaintainer: Nobody <nobody@localhost>\nDescription: small\n`;
      await writeFile(join(source, "DEBIAN/control"), about);
      await writeFile(join(source, "opt/small"), version);
      const file = join(folder, `${version}.deb`);
      await run("dpkg-deb", ["--build", "--root-owner-group", source, file]);
      return file;
    };
    const packages = { newton: await build("1"), ocata: await build("2") };
    const [root, keep] = [join(folder, "root"), join(folder, "keep")];
    for (const path of ["info", "updates", "triggers"])
      mkdirSync(join(root, "var/lib/dpkg", path), { recursive: true });
    for (const name of ["status", "available"]) await writeFile(join(root, "var/lib/dpkg", name), "");
    const apt = ["dpkg", `--root=${root}`, "--force-not-root", "--force-script-chrootless", "--install"];
    const { driver } = await make({ by: "debian", packages, keep, apt });
    for (const [release, version] of [
      ["newton", "1"],
      ["ocata", "2"],
      ["newton", "1"],
    ] as const) {
      await driver.install(release, signal);
      assert.equal(readFileSync(join(root, "opt/small"), "utf8"), version);
    }
    assert.equal((await readdir(keep)).length, 2);
  });

  test("ssh nodes: a command of one's own installs; where it fails the release stays what it was", async () => {
    const noted = join(sshHosts.folder, "noted");
    const script = 'echo "$1 $2" > "$0"; [ "$2" != pike ]';
    const { driver } = await make({ by: "command", command: ["sh", "-c", script, noted, "{node}", "{release}"] });
    await assert.rejects(driver.install("pike", signal), { message: /install pike on n1: on root@.* it ended with 1/ });
    assert.equal((await driver.observe(signal)).configRelease, "newton");
    await driver.install("ocata", signal);
    assert.equal(readFileSync(noted, "utf8"), "n1 ocata\n");
    assert.equal((await driver.observe(signal)).configRelease, "ocata");
  });

  test("ssh nodes: a hand-over installs first, and puts the software back where no new process takes over", async () => {
    const noted = join(sshHosts.folder, "installed");
    const script = 'echo "$1" >> "$0"; [ "$1" != queens ]';
    const node = await make({ by: "command", command: ["sh", "-c", script, noted, "{release}"] });
    try {
      await started(node);
      await node.failAt("ocata");
      await assert.rejects(node.driver.handOver("ocata", signal), /goes on as it was: .*exit code 64/);
      assert.equal(readFileSync(noted, "utf8"), "ocata\nnewton\n");
      await assert.rejects(node.driver.handOver("queens", signal), /install queens on n1: .* it ended with 1/);
      assert.equal((await node.driver.observe(signal)).configRelease, "newton");
      await node.driver.handOver("pike", signal);
      assert.equal(readFileSync(noted, "utf8"), "ocata\nnewton\nqueens\npike\n");
    } finally {
      await node.clean();
    }
  });

  test("ssh nodes: what a hand-over lacks is told, and a process that would lose its node or die of it is never asked", async () => {
    const node = await make();
    const lacks = (what: RegExp) => assert.rejects(node.driver.handOver("ocata", signal), { message: what });
    const edit = async (file: string, from: string, to: string) =>
      writeFile(file, (await readFile(file, "utf8")).replace(from, to));
    try {
      await started(node);
      await node.changeUnit(node.unitText.replace("NotifyAccess=all", "NotifyAccess=main"));
      await lacks(/n1 on .* cannot hand over: it lacks NotifyAccess=all in node-\d+\.service/);
      await node.changeUnit(node.unitText.replace(/^ExecStop=.*$/m, ""));
      await lacks(/it lacks ExecStop in node-\d+\.service, as deploy\/glance-api\.service has it/);
      await node.changeUnit(node.unitText);
      await edit(node.at.config, node.pidFile, "node.pid");
      await lacks(/it lacks an absolute \[perennial\] pid_file/);
      await edit(node.at.config, "node.pid", node.pidFile);
      await writeFile(node.pidFile, "1\n");
      await lacks(/it lacks its process id in .*node\.pid/);
      await node.clean();
      const script = `import { writeFileSync } from "node:fs"; writeFileSync(process.argv[2], String(process.pid)); setInterval(() => {}, 1000);`;
      const program = join(node.folder, "simple.mjs");
      await writeFile(program, script);
      const command = `ExecStart=${process.execPath} ${program} ${node.pidFile}`;
      await node.changeUnit(`[Service]\nNotifyAccess=all\nExecStop=true\n${command}\n`);
      await node.driver.start(signal);
      const seen = await eventually("it noted its id", async () => {
        const now = await node.driver.observe(signal);
        return now.handOverLacks === "a running package that knows hand-overs" && now;
      });
      await lacks(/it lacks a running package that knows hand-overs/);
      assert.equal((await node.driver.observe(signal)).processId, seen.processId);
    } finally {
      await node.clean();
    }
  });

  test("ssh nodes: a node that dies while it hands over is told as that, and seen as gone", async () => {
    const node = await make();
    try {
      await started(node);
      await node.takeOverWhen(join(node.folder, "never"));
      const { pid } = await node.driver.observe(signal);
      const told = assert.rejects(
        node.driver.handOver("ocata", signal),
        /ended while it handed over: ended by signal 9/,
      );
      await eventually("it is under way", async () => JSON.parse(await (await fetch(node.url)).text()).handingOver);
      process.kill(pid ?? 0, "SIGKILL");
      await told;
      assert.equal((await node.driver.observe(signal)).process, "gone");
    } finally {
      await node.clean();
    }
  });

  test("ssh nodes: the file that takes a node out of rotation is written, read and removed on its host", async () => {
    const { at, folder } = await make();
    const file = sshNodeFile(at, join(folder, "it's down"));
    assert.equal(await file.read(signal), null);
    await file.write("maint\n", signal);
    assert.equal(await file.read(signal), "maint\n");
    await file.remove(signal);
    await file.remove(signal);
    assert.equal(await file.read(signal), null);
    const nowhere = sshNodeFile(at, "/nowhere/n1");
    await assert.rejects(nowhere.write("maint\n", signal), { message: /out of rotation: on root@.*nowhere/ });
  });

  test("ssh nodes: a host that is not there, and a unit that is not there, are told with the next step", async () => {
    const { at } = await make();
    const absent = createSshNode(
      { ...at, host: "root@10.255.255.1", sshOptions: [...at.sshOptions, "-p", "1", "-o", "ConnectTimeout=1"] },
      systemClock,
    );
    await assert.rejects(absent.observe(signal), {
      code: "rollout.driver_failed",
      message:
        /look at n1: root@10\.255\.255\.1 cannot be reached by ssh \(.+\); see that this works: ssh -o BatchMode=yes/,
    });
    const other = createSshNode({ ...at, unit: "other.service" }, systemClock);
    await assert.rejects(other.observe(signal), {
      message: /has no unit other\.service .*deploy\/glance-api\.service/,
    });
    const wrong = createSshNode({ ...at, config: "/nowhere/glance-api.conf" }, systemClock);
    await assert.rejects(wrong.observe(signal), { message: /\/nowhere\/glance-api\.conf: No such file/ });
  });

  test("ssh nodes: whether a unit comes up with its host is switched on and off", async () => {
    const { at, driver } = await make();
    const [program = "", ...words] = at.systemctl;
    const enabled = async () =>
      (await run(program, [...words, "is-enabled", at.unit]).catch((error) => error)).stdout.trim();
    assert.equal(await enabled(), "disabled");
    for (const [wanted, seen] of [
      [true, "enabled"],
      [true, "enabled"],
      [false, "disabled"],
      [false, "disabled"],
    ] as const) {
      await driver.startAtBoot(wanted, signal);
      assert.equal(await enabled(), seen);
    }
  });

  test("ssh nodes: the node outlives the rollout that started it, and one that died is gone on with by looking", async () => {
    const { at, driver, url, clean } = await make();
    try {
      const script = `const { createSshNode } = await import(${JSON.stringify(new URL("ssh-node.ts", import.meta.url).href)});
        const { systemClock } = await import(${JSON.stringify(new URL("../../../core/clock.ts", import.meta.url).href)});
        await createSshNode(${JSON.stringify(at)}, systemClock).start(new AbortController().signal);
        console.log("started"); setInterval(() => {}, 1000);`;
      const rollout = spawn(process.execPath, ["--input-type=module", "-e", script], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await once(rollout.stdout, "data");
      rollout.kill("SIGKILL");
      await once(rollout, "exit");
      await eventually("healthy", async () => (await fetch(`${url}/healthcheck`)).ok, { msMax: 120_000 });
      assert.equal((await driver.observe(signal)).process, "running");
    } finally {
      await clean();
    }
  });
}

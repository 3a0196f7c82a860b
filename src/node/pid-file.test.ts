import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isServiceError } from "../core/errors.ts";
import { disableFile } from "./disable-file.ts";
import { processTitle, writePidFile } from "./pid-file.ts";

const folder = mkdtempSync(join(tmpdir(), "perennial-pid-"));
after(() => rmSync(folder, { recursive: true }));

test("pid file: written, and removed when the node ends", () => {
  const path = join(folder, "run", "node.pid");
  const remove = writePidFile(path, process.pid);
  assert.equal(readFileSync(path, "utf8"), `${process.pid}\n`);
  remove();
  assert(!existsSync(path));
  remove();
});

test("pid file: one left behind, or held by a process that is no glance-api, is replaced", () => {
  const path = join(folder, "stale.pid");
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  for (const stale of [`${dead}\n`, "1\n", "", "nonsense"]) {
    writeFileSync(path, stale);
    writePidFile(path, process.pid);
    assert.equal(readFileSync(path, "utf8"), `${process.pid}\n`);
  }
});

test("pid file: a running glance-api is not pushed aside, and its file outlives us", async (t) => {
  const path = join(folder, "taken.pid");
  const script = `process.title = ${JSON.stringify(processTitle)}; process.stdout.write("up"); setInterval(() => {}, 1000)`;
  const other = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => other.kill());
  await once(other.stdout, "data");
  writeFileSync(path, `${other.pid}\n`);
  assert.throws(
    () => writePidFile(path, process.pid),
    (error) => isServiceError(error, "node.start_refused") && error.message.includes(String(other.pid)),
  );
  assert.equal(readFileSync(path, "utf8"), `${other.pid}\n`);
});

test("pid file: a path that cannot be written is a matter of configuration", () => {
  writeFileSync(join(folder, "file"), "");
  assert.throws(
    () => writePidFile(join(folder, "file", "node.pid"), process.pid),
    (error) => isServiceError(error, "config.invalid") && /pid_file/.test(error.message),
  );
});

test("disable file: seen within half a second, and not asked for more often", () => {
  const path = join(folder, "disable");
  let nowMs = 0;
  const disabled = disableFile([path], () => nowMs);
  assert.equal(disabled(), false);
  writeFileSync(path, "");
  assert.equal(disabled(), false);
  nowMs = 500;
  assert.equal(disabled(), true);
  rmSync(path);
  nowMs = 1_000;
  assert.equal(disabled(), false);
  assert.equal(disableFile([])(), false);
});

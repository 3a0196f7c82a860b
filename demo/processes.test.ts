// Whatever a fleet started is gone when its guard has done its work, also what hides behind a title of its own.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../test/servers/eventually.ts";
import { finish, guardFolder, startDetached } from "./processes.ts";

const titled = "process.title = 'somebody else'; process.stdout.write('up'); setInterval(() => {}, 1_000)";

test("guard: a detached process with a title of its own is ended, and the folder is removed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "perennial-guard-"));
  const guard = guardFolder(folder, { keep: false });
  await mkdir(join(folder, "n1"));
  const child = startDetached([process.execPath, "-e", titled], {
    logFile: join(folder, "n1/out"),
    cwd: join(folder, "n1"),
  });
  await eventually("it has its title", () => read(join(folder, "n1/out")) === "up");
  await guard.stop();
  await guard.stop();
  await eventually("it is gone", () => child.signalCode === "SIGKILL");
  assert(!existsSync(folder));
});

test("finish: an exit code is a result, a signal is an error", async () => {
  assert.equal((await finish([process.execPath, "-e", "process.exit(3)"])).code, 3);
  await assert.rejects(finish([process.execPath, "-e", "process.kill(process.pid, 'SIGKILL')"]), /SIGKILL/);
});

function read(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

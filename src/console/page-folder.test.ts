// Where the built page comes from: a package brings it along, a checkout builds it, once however many ask, and never serves an old one.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../core/clock.ts";
import { findPage } from "./page-folder.ts";

const root = mkdtempSync(join(tmpdir(), "perennial-page-"));
after(() => rmSync(root, { recursive: true }));

/** Stands in for the build; it says how often it ran. */
const builder = `
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
appendFileSync("builds", "x");
mkdirSync("dist/console-page", { recursive: true });
writeFileSync("dist/console-page/index.html", "page");
`;
const find = (folder: string) => findPage(folder, systemClock);
const builds = (folder: string) => readFileSync(join(folder, "builds"), "utf8").length;

test("page: a package serves the one it brings along, and one without it says so", async () => {
  const folder = mkdtempSync(join(root, "package-"));
  await assert.rejects(find(folder), { code: "console.page_missing", message: /without the console's page/ });
  mkdirSync(join(folder, "dist", "console-page"), { recursive: true });
  writeFileSync(join(folder, "dist", "console-page", "index.html"), "page");
  assert.equal(await find(folder), join(folder, "dist", "console-page"));
});

test("page: in a checkout it is built once for all who ask, and again when a source is newer", async () => {
  const folder = checkout(builder);
  const found = await Promise.all([find(folder), find(folder), find(folder)]);
  assert.deepEqual(new Set(found), new Set([join(folder, "dist", "console-page")]));
  assert.equal(builds(folder), 1);
  await find(folder);
  assert.equal(builds(folder), 1, "nothing is newer");
  const later = new Date(statSync(join(folder, "dist", "console-page", "index.html")).mtimeMs + 1_000);
  utimesSync(join(folder, "console", "src", "main.tsx"), later, later);
  await find(folder);
  assert.equal(builds(folder), 2);
});

test("page: a builder that died holds nobody up", async () => {
  const folder = checkout(builder);
  const lock = join(folder, "dist", ".console-lock");
  mkdirSync(lock, { recursive: true });
  const longAgo = new Date(Date.now() - 3_600_000);
  utimesSync(lock, longAgo, longAgo);
  await find(folder);
  assert.deepEqual([builds(folder), existsSync(lock)], [1, false]);
});

test("page: a build that fails says why, and the next one is not held up by it", async () => {
  const folder = checkout("console.error('there is no vite'); process.exit(3);");
  for (let turn = 0; turn < 2; turn++)
    await assert.rejects(find(folder), { code: "console.page_missing", message: /there is no vite/ });
  assert.equal(existsSync(join(folder, "dist", ".console-lock")), false);
});

function checkout(script: string): string {
  const folder = mkdtempSync(join(root, "checkout-"));
  for (const name of ["scripts", "console/src", "src/console"]) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  writeFileSync(join(folder, "scripts", "build-console.ts"), script);
  writeFileSync(join(folder, "console", "src", "main.tsx"), "");
  return folder;
}

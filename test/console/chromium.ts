// Debian's Chromium, driven by playwright-core, for the console's test and its screenshots. It asks nobody but the page's own server.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";

const quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];

export async function startChromium(): Promise<Browser> {
  const [executablePath] = [...globSync("/usr/bin/chromium"), ...globSync("/usr/bin/google-chrome")];
  assert(executablePath && existsSync(executablePath), "Debian's package chromium is installed");
  const args = [...quiet, "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-sandbox"];
  return chromium.launch({ executablePath, args, timeout: 120_000 });
}

export type Scheme = "light" | "dark";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Throws with what breaks a rule of accessibility, and where. */
export async function checkAccessibility(page: Page, scheme: Scheme, what: string): Promise<void> {
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
  // Past the page's own policy, which lets nothing of the kind run.
  await page.evaluate(axe);
  const { violations } = (await page.evaluate("axe.run()")) as AxeResults;
  const told = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.html}`).join("; ")}`,
  );
  assert.deepEqual(told, [], `${what}, ${scheme}`);
}

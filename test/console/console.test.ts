// The console in a real browser, over a real rollout: what the page shows is compared with the journal and the database; the rollout is
// paused and resumed from it; a server that restarts is found again; the rollout is replayed; its report opens with the network off;
// and the rules of accessibility hold.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { type RunningFleet, startFleet } from "../../demo/fleet.ts";
import { binary, finish } from "../../demo/processes.ts";
import { openRegistry } from "../../demo/registry.ts";
import { startRollout } from "../../demo/rollout-process.ts";
import { adminToken } from "../../demo/traffic/actor.ts";
import type { JournalEvent } from "../../src/rollout/journal-event.ts";
import { checkAccessibility, startChromium } from "./chromium.ts";
import { startConsole, token } from "./console-process.ts";

const msMax = 180_000;
test("console: a rollout is seen, paused, resumed and replayed in a browser", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "perennial-console-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const fleet = await startFleet({ folder, nodes: 2, database: "sqlite", balancer: "builtin" });
  t.after(() => fleet.stop());
  const traffic = listImages(fleet.origin);
  t.after(() => traffic.stop());
  const browser = await startChromium();
  t.after(() => browser.close());
  let served = await startConsole(fleet);
  t.after(() => served.stop());
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(msMax);
  const foreign: string[] = [];
  const problems: string[] = [];
  page.on("request", (asked) => {
    if (!asked.url().startsWith(served.address)) foreign.push(asked.url());
  });
  page.on("pageerror", (error) => problems.push(error.message));
  await page.goto(served.address);
  await shows(page, ".badge", "not begun");
  assert.deepEqual(await texts(page, ".card h3"), ["n1", "n2"]);
  await shows(page, ".card >> nth=1", "newton");

  await order(page, "Pause", { first: true });
  const events: JournalEvent[] = [];
  const rollout = startRollout(fleet.file, { cwd: fleet.folder, onEvent: (event) => events.push(event) });
  await shows(page, ".badge", "paused");
  await shows(page, ".now", "ann by console");
  assert.equal(await page.evaluate("document.documentElement.scrollHeight <= innerHeight"), true, "nothing to scroll");
  for (const scheme of ["light", "dark"] as const) await checkAccessibility(page, scheme, "the live page");

  const { port } = new URL(served.address);
  await served.stop();
  await shows(page, ".old-figures", "Connection lost, figures of");
  served = await startConsole(fleet, Number(port));
  await shows(page, ".fresh-live", "live");

  await order(page, "Resume", { first: false });
  const { code, stderr } = await rollout.ended;
  assert.equal(code, 0, stderr);
  await shows(page, ".badge", "finished");
  await compareWithEnd(page, fleet, events);
  assert(events.some((event) => event.text.startsWith("paused by ann") || event.text.includes("paused by ann")));
  assert(events.some((event) => event.text.startsWith("resumed by ann")));

  await page.click("text=History");
  await page.locator("table a").waitFor();
  await checkAccessibility(page, "light", "the list of rollouts");
  await page.click("table a");
  await replay(page, events);
  await checkAccessibility(page, "dark", "the replay");
  assert.deepEqual([foreign, problems], [[], []]);
  await openReport(page, fleet, events);
});

/** From the disk, with the network off, as whoever gets it by mail may open it. */
async function openReport(page: Page, fleet: RunningFleet, events: readonly JournalEvent[]): Promise<void> {
  const out = join(fleet.folder, "report.html");
  const told = await finish([...binary("glance-rollout"), "report", "--fleet", fleet.file, "--out", out]);
  assert.equal(told.code, 0, told.stderr);
  await page.context().setOffline(true);
  await page.goto(pathToFileURL(out).href);
  await shows(page, ".badge", "finished");
  await shows(page, "main", events.at(-1)?.text ?? "");
  await shows(page, ".tiles li >> nth=1", /^\s*0\s*requests failed/);
  for (const scheme of ["light", "dark"] as const) await checkAccessibility(page, scheme, "the report");
}

/** The page against the journal and the registry. */
async function compareWithEnd(page: Page, fleet: RunningFleet, events: readonly JournalEvent[]): Promise<void> {
  await shows(page, ".panel-journal .panel-aside", `${events.length} entries`);
  await shows(page, ".entry >> nth=0", events.at(-1)?.text ?? "");
  assert.deepEqual(await texts(page, ".phase-done .phase-name"), ["backup", "expand", "migrate", "nodes", "contract"]);
  const registry = await openRegistry(fleet.connection);
  const rows = await registry.rows();
  await registry.close();
  for (const [index, { name, release }] of rows.entries()) {
    await shows(page, `.card >> nth=${index}`, name);
    await shows(page, `.card >> nth=${index}`, release);
    await shows(page, `.card >> nth=${index} >> .state`, "serving");
  }
  await shows(page, ".panel-gates .panel-aside", /^3 passed/);
  const requests = await page.locator(".totals > div:nth-child(4) dd").textContent();
  assert.match(requests ?? "", /^[1-9][\d,]*$/, "traffic was recorded");
  await shows(page, ".totals > div:nth-child(5) dd", "0");
}

/** What was so at several moments, as the journal has it. */
async function replay(page: Page, events: readonly JournalEvent[]): Promise<void> {
  const slider = page.locator("input[type=range]");
  await slider.waitFor();
  const [first, last] = [events[0], events.at(-1)].map((event) => Date.parse(event?.time ?? ""));
  await slider.fill(String(first));
  await shows(page, ".panel-nodes .panel-aside", "0 of 2 nodes on ocata");
  const started = events.find((event) => event.node === "n1" && event.data?.do === "enable" && event.data.ok === true);
  const between = Date.parse(started?.time ?? "") + 1;
  assert(between > Number(first) && between < Number(last));
  // The slider goes in steps; the next event is exact.
  await slider.fill(String(between + Math.ceil((Number(last) - Number(first)) / 500)));
  await shows(page, ".panel-nodes .panel-aside", /[12] of 2 nodes on ocata/);
  await shows(page, ".phase-done >> nth=0", "backup");
  await slider.press("End");
  await shows(page, ".panel-nodes .panel-aside", "2 of 2 nodes on ocata");
}

async function order(page: Page, label: string, { first }: { first: boolean }): Promise<void> {
  await page.click(`.orders > button:text-is("${label}"):enabled`);
  // A page that lives on asks for name and token once only; this one was not reloaded.
  if (first) {
    await checkAccessibility(page, "dark", "a dialog");
    await page.fill("input[name=who]", "ann");
    await page.fill("input[name=token]", "wrong");
    await page.click("dialog button[type=submit]");
    await shows(page, ".order-answer", "token is wrong");
    await page.click(`.orders > button:text-is("${label}"):enabled`);
    await page.fill("input[name=who]", "ann");
    await page.fill("input[name=token]", token);
  }
  await page.click("dialog button[type=submit]");
}

async function shows(page: Page, place: string, text: string | RegExp): Promise<void> {
  await page.locator(place).filter({ hasText: text }).first().waitFor({ timeout: msMax });
}

async function texts(page: Page, place: string): Promise<readonly string[]> {
  await page.locator(place).first().waitFor();
  return page.locator(place).allTextContents();
}

/** A client that lists images all the time, so that there is traffic to be seen. */
function listImages(origin: string): { stop(): Promise<void> } {
  const over = new AbortController();
  const { signal } = over;
  const work = async () => {
    while (!signal.aborted) {
      const answer = await fetch(`${origin}/v2/images`, { headers: { "X-Auth-Token": adminToken }, signal });
      await answer.arrayBuffer();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const worked = work().catch(() => undefined);
  return {
    async stop() {
      over.abort();
      await worked;
    },
  };
}

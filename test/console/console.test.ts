// The console in a real browser, over a real rollout that stands still after each of its phases: what the page shows is compared with the
// journal and the database; the rollout is paused and resumed from it; a node that cannot end is seen with what it has left; a server that
// restarts is found again; the rollout is replayed; its report opens with the network off; and the rules of accessibility hold.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { bytes } from "../../console/src/words.ts";
import { type FleetOptions, type RunningFleet, startFleet } from "../../demo/fleet.ts";
import { binary, finish } from "../../demo/processes.ts";
import { openRegistry } from "../../demo/registry.ts";
import { startRollout } from "../../demo/rollout-process.ts";
import { adminToken } from "../../demo/traffic/actor.ts";
import type { Until } from "../../src/rollout/decide.ts";
import type { JournalEvent } from "../../src/rollout/journal-event.ts";
import { isFull } from "../upgrade/scope.ts";
import { checkAccessibility, startChromium } from "./chromium.ts";
import { compare, phases, shows, texts } from "./comparison.ts";
import { startConsole, token } from "./console-process.ts";
import { holdUpload } from "./held-upload.ts";

const msMax = 180_000;
/** What the page shows is the same on each; the full run takes what operators have. */
const scene: Pick<FleetOptions, "database" | "balancer"> = isFull
  ? { database: "mariadb", balancer: "haproxy" }
  : { database: "sqlite", balancer: "builtin" };

test(`console: a rollout is seen, paused, resumed and replayed in a browser (${scene.database}, ${scene.balancer})`, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "perennial-console-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const fleet = await startFleet({ folder, nodes: 2, ...scene });
  t.after(() => fleet.stop());
  await makeImages(fleet.origin);
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
  await page.evaluate(watchPhases);

  await order(page, "Pause", { first: true });
  const events: JournalEvent[] = [];
  const run = (until?: Until) =>
    startRollout(fleet.file, {
      cwd: fleet.folder,
      onEvent: (event) => events.push(event),
      ...(until !== undefined && { until }),
    });
  const first = run("backup");
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
  const ended = async ({ ended: end }: ReturnType<typeof run>) => {
    const { code, stderr } = await end;
    assert.equal(code, 0, stderr);
  };
  await ended(first);
  assert(events.some((event) => event.text.startsWith("paused by ann") || event.text.includes("paused by ann")));
  assert(events.some((event) => event.text.startsWith("resumed by ann")));
  await compare(page, fleet, events, "backup");
  await secondConsole(browser, fleet, (second) => compare(second, fleet, events, "backup"));
  for (const phase of ["expand", "migrate"] as const) {
    await ended(run(phase));
    await compare(page, fleet, events, phase);
  }
  const upload = await holdUpload(fleet.nodes[0]?.address ?? "");
  t.after(() => upload.cut());
  const nodes = run("nodes");
  await compareStopping(page, fleet, upload.bytesLeft);
  assert.equal(await upload.finish(), 204);
  await ended(nodes);
  await compare(page, fleet, events, "nodes");
  await ended(run());
  await compare(page, fleet, events, null);
  await comparePhaseOrder(page, events);

  await page.click("text=History");
  await page.locator("table a").waitFor();
  await checkAccessibility(page, "light", "the list of rollouts");
  await page.click("table a");
  await replay(page, events);
  await checkAccessibility(page, "dark", "the replay");
  assert.deepEqual([foreign, problems], [[], []]);
  await openReport(page, fleet, events);
});

/** Beside the first, and with the same to show. */
async function secondConsole(
  browser: Browser,
  fleet: RunningFleet,
  look: (page: Page) => Promise<void>,
): Promise<void> {
  const served = await startConsole(fleet);
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(served.address);
    await look(page);
    await page.close();
  } finally {
    await served.stop();
  }
}

/** A node that was told to stop and has an upload under way: the page, and the registry beside it. */
async function compareStopping(page: Page, fleet: RunningFleet, bytesLeft: number): Promise<void> {
  await shows(page, ".card >> nth=0 >> .state", "finishing");
  await shows(page, ".card >> nth=0", /rotation\s*draining/);
  await shows(page, ".card >> nth=0", `1, ${bytes(bytesLeft)} left`);
  await shows(page, ".card >> nth=0", "newton");
  await shows(page, ".phase-current", "nodes");
  await shows(page, ".now-doing", /^Waits: n1 holds 1 transfer/);
  const registry = await openRegistry(fleet.connection);
  const rows = await registry.rows();
  await registry.close();
  assert.deepEqual(
    rows.map(({ name, state, uploads, downloads }) => ({ name, state, uploads, downloads })),
    [
      { name: "n1", state: "draining", uploads: 1, downloads: 0 },
      { name: "n2", state: "serving", uploads: 0, downloads: 0 },
    ],
  );
}

/** Keeps what the phase bar calls current, whenever that changes. */
const watchPhases = `{
  const seen = (window.seenPhases = []);
  const look = () => {
    const now = document.querySelector(".phase-current .phase-name")?.textContent;
    if (now && seen.at(-1) !== now) seen.push(now);
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
}`;

/** A phase may be over before the page is told of it, but none was shown out of its order, and each at which a run ended was shown. */
async function comparePhaseOrder(page: Page, events: readonly JournalEvent[]): Promise<void> {
  const shown = (await page.evaluate("window.seenPhases")) as readonly string[];
  const journal = events.map(({ phase }) => phase as string);
  let at = 0;
  for (const phase of shown) {
    const found = journal.indexOf(phase, at);
    assert(found >= 0, `${phase} was shown out of order: ${shown.join(", ")}`);
    at = found;
  }
  for (const phase of phases.slice(0, 4)) assert(shown.includes(phase), `${phase} was shown: ${shown.join(", ")}`);
}

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

/** For the data migration to have something to do. */
async function makeImages(origin: string): Promise<void> {
  for (const name of ["one", "two", "three"]) {
    const made = await fetch(`${origin}/v2/images`, {
      method: "POST",
      headers: { "X-Auth-Token": adminToken, "Content-Type": "application/json" },
      body: JSON.stringify({ name, disk_format: "raw", container_format: "bare" }),
    });
    assert.equal(made.status, 201, await made.text());
  }
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

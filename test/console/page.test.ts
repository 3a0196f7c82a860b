// The page in a real browser over a fleet that is made up: what cannot be had from a small rollout that goes well. A browser that slept, a
// thousand nodes, names with scripts in them, screens of all sizes, and what may be ordered of a rollout that is over.
import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { findPage } from "../../src/console/page-folder.ts";
import { entry as entryOf, startConsole as start, type TestConsole } from "../../src/console/testing/console-scene.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { JournalEvent } from "../../src/rollout/journal-event.ts";
import type { NodeView, Snapshot } from "../../src/rollout/snapshot.ts";
import { checkAccessibility, startChromium } from "./chromium.ts";

const msMax = 180_000;
const rollout = "glance-ocata-20261126T120000Z";
let browser: Browser;
let built: string;
before(async () => {
  [browser, built] = await Promise.all([
    startChromium(),
    findPage(fileURLToPath(new URL("../../", import.meta.url)), systemClock),
  ]);
});
after(() => browser?.close());

test("page: after an hour of sleep old figures are called old until the server has told what is so now", async (t) => {
  const { desk, address } = await startConsole(t, { nodes: ["n1"] });
  desk.open(rollout, [entry(1)]);
  desk.look(seen([node("n1")]));
  const page = await open(t, address);
  await shows(page, ".fresh-live", "live");
  // Whatever is asked from here on has to wait, as it does until a network is there again.
  const network = Promise.withResolvers<void>();
  await page.route("**/api/events*", async (route) => {
    await network.promise;
    // The page gives up on what takes too long, and asks again.
    await route.continue().catch(() => undefined);
  });
  // On most systems only the clock of the day goes on while the machine sleeps. What arrives first is what was sent when it fell asleep.
  await page.evaluate("{ const now = Date.now; Date.now = () => now() + 3_600_000; }");
  desk.look(seen([node("n1", { process: "gone", healthy: false })]));
  desk.add([entry(2, "while it slept")]);
  await shows(page, ".old-figures", "Connection lost, figures of");
  await shows(page, ".fresh", "not live");
  assert.equal(await page.locator(".is-old .entry").count(), 1, "nothing of the hour is shown as new");
  network.resolve();
  await shows(page, ".fresh-live", "live");
  await shows(page, ".entry >> nth=0", "while it slept");
  await shows(page, ".card .state", "out");
});

test("page: a server that cannot see the fleet, and one that is not there, are called so", async (t) => {
  const { desk, address, close } = await startConsole(t, { nodes: ["n1"] });
  desk.open(rollout, [entry(1)]);
  desk.look(seen([node("n1")]));
  const page = await open(t, address);
  await shows(page, ".fresh-live", "live");
  desk.blind("the database does not answer");
  await shows(page, ".old-figures", "The fleet cannot be seen: the database does not answer, figures of");
  desk.note("glance-rollout run ended with 78.");
  desk.add([], ["The journal is not as it was written from entry 2 on: it is no entry."]);
  await shows(page, ".notes", "from entry 2 on");
  await shows(page, ".notes", "ended with 78");
  await close();
  await shows(page, ".old-figures", "Connection lost, figures of");
});

test("page: a thousand nodes are a grid of states, each of which opens by keyboard, on screens of all sizes", async (t) => {
  const names = Array.from({ length: 1_000 }, (_one, index) => `node-${index + 1}`);
  const { desk, address } = await startConsole(t, { nodes: names });
  desk.open(rollout, [{ ...entry(1), data: { began: Object.fromEntries(names.map((name) => [name, "newton"])) } }]);
  const states = names.map((name, index) =>
    node(name, index < 400 ? { release: "ocata" } : index === 400 ? { process: "gone", healthy: false } : {}),
  );
  desk.look(seen(states));
  const page = await open(t, address);
  await shows(page, ".panel-nodes .panel-aside", "400 of 1,000 nodes on ocata");
  await shows(page, ".legend", "999 serving");
  await shows(page, ".legend", "1 out");
  assert.deepEqual([await page.locator(".tile").count(), await page.locator(".tile-new").count()], [1_000, 400]);
  const tile = page.locator(".tile").nth(400);
  assert.equal(await tile.getAttribute("aria-label"), "node-401: out, newton");
  await tile.focus();
  await tile.press("Enter");
  await shows(page, ".card h3", "node-401");
  await checkAccessibility(page, "light", "a thousand nodes");
  desk.look(seen(states.map((one, index) => (index === 400 ? node(one.name, { release: "ocata" }) : one))));
  await shows(page, ".panel-nodes .panel-aside", "401 of 1,000 nodes on ocata");
  await shows(page, ".card .state", "serving");
  for (const [width, height] of [
    [390, 844],
    [1280, 800],
    [1920, 1080],
    [3840, 2160],
  ] as const) {
    await page.setViewportSize({ width, height });
    await fits(page, `${width} x ${height}`, { whole: width >= 1280 });
  }
});

test("page: a rollout that is run by a host whose clock is ahead is shown as it is now, and the difference is told", async (t) => {
  const { desk, address } = await startConsole(t, { nodes: ["n1"] });
  const time = new Date(Date.now() + 3_600_000).toISOString();
  desk.open(rollout, [{ ...entry(1), time, data: { began: { n1: "newton" } } }]);
  const page = await open(t, address);
  await shows(page, ".entry-text", "entry 1");
  desk.look(seen([node("n1", { process: "gone", healthy: false })]));
  await shows(page, ".card .state", "out");
  await shows(page, ".notes", "Clocks are apart");
  assert.equal(await page.locator(".card.stale").count(), 0);
});

test("page: scripts in names are words", async (t) => {
  const name = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
  const { desk, address } = await startConsole(t, { fleet: name, nodes: [name] });
  desk.open(rollout, [{ ...entry(1, name), node: name }]);
  desk.note(name);
  desk.look(seen([node(name)]));
  const page = await open(t, address);
  for (const place of ["h1", ".card h3", ".entry-text", ".entry-about", ".notes"]) await shows(page, place, name);
  assert.equal(await page.title(), "Rollout console");
  assert.equal(await page.locator("#page img, #page script").count(), 0);
});

test("page: of a rollout that is over nothing can be ordered that would meet the next one", async (t) => {
  const { desk, address } = await startConsole(t, { nodes: ["n1"], doAct: async () => "done" });
  desk.look(seen([node("n1", { release: "ocata" })], { due: "nothing" }));
  const page = await open(t, address);
  const enabled = () => page.locator(".orders > button:enabled").allTextContents();
  await shows(page, ".badge", "not begun");
  assert.deepEqual(await enabled(), ["Pause"], "the one that is to come may be made to wait");
  const over: JournalEvent = { ...entry(1, "every node serves ocata"), kind: "decision", phase: "done" };
  desk.open(rollout, [{ ...over, data: { do: "finish" } }]);
  await shows(page, ".badge", "finished");
  assert.deepEqual(await enabled(), []);
});

/** Written now. */
function entry(seq: number, text?: string): JournalEvent {
  return { ...entryOf(seq, text), time: new Date().toISOString() };
}

function startConsole(t: TestContext, options: Parameters<typeof start>[1]): Promise<TestConsole> {
  return start(t, { ...options, page: built });
}

async function open(t: TestContext, address: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  t.after(() => page.close());
  page.setDefaultTimeout(msMax);
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  t.after(() => assert.deepEqual(problems, []));
  await page.goto(address);
  return page;
}

async function shows(page: Page, place: string, text: string): Promise<void> {
  await page.locator(place).filter({ hasText: text }).first().waitFor({ timeout: msMax });
}

/** Nothing is cut off at the side; `whole`: and nothing has to be scrolled to be seen. */
async function fits(page: Page, what: string, { whole }: { whole: boolean }): Promise<void> {
  const { scrollWidth, scrollHeight } = (await page.evaluate(
    "({ scrollWidth: document.documentElement.scrollWidth, scrollHeight: document.documentElement.scrollHeight })",
  )) as { scrollWidth: number; scrollHeight: number };
  const size = page.viewportSize();
  assert(scrollWidth <= (size?.width ?? 0), `${what}: ${scrollWidth} wide`);
  if (whole) assert(scrollHeight <= (size?.height ?? 0), `${what}: ${scrollHeight} high`);
}

function node(name: string, change: Partial<NodeView> = {}): NodeView {
  return {
    name,
    configRelease: "ocata",
    process: "running",
    release: "newton",
    healthy: true,
    processMs: 0,
    rotation: { state: "ready", up: true, sessions: 2 },
    transfers: { count: 1, bytesLeft: 5_000_000, etaSeconds: 12 },
    heartbeatAgeSeconds: 1,
    starts: 0,
    lastWords: null,
    gate: "off",
    ...change,
  };
}

function seen(nodes: readonly NodeView[], change: Partial<Snapshot> = {}): Omit<Snapshot, "memory"> {
  const nothing = { backup: "missing", strangers: [], request: null, soakedMs: 0, canary: null } as const;
  return { nodes, due: "migrate", ...nothing, ...change };
}

// `npm run screenshots`: takes the demo's fleet to Ocata under traffic, and from what was recorded of that the pictures in docs/images: the
// console's page before, in each phase and after, by day and by night, on a desktop and a phone; an order, a replay, and the report.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { initialState, runDemo } from "../demo/demo.ts";
import type { RunningFleet } from "../demo/fleet.ts";
import { binary, finish } from "../demo/processes.ts";
import { isSuccess, summarize } from "../demo/report.ts";
import { startScreen } from "../demo/screen.ts";
import { LiveFeed } from "../src/console/live-feed.ts";
import { findPage } from "../src/console/page-folder.ts";
import type { PastRollouts } from "../src/console/past-rollouts.ts";
import { type ReadRollout, readRollout } from "../src/console/read-rollout.ts";
import { createConsoleServer, listen } from "../src/console/server.ts";
import { systemClock } from "../src/core/clock.ts";
import { openDatabase } from "../src/db/connect.ts";
import { createRolloutJournalRepository } from "../src/db/repositories/rollout-journal-repository.ts";
import { createRolloutSampleRepository } from "../src/db/repositories/rollout-sample-repository.ts";
import { loadFleet } from "../src/rollout/fleet.ts";
import type { JournalEvent } from "../src/rollout/journal-event.ts";
import { reportOf } from "../src/rollout/rollout-history.ts";
import { type Scheme, startChromium } from "../test/console/chromium.ts";
import { sceneNames, sceneOf } from "./console-scenes.ts";
import { ensurePackages, neededForScreenshots } from "./ensure-packages.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const images = join(root, "docs", "images");
const work = mkdtempSync(join(tmpdir(), "perennial-screenshots-"));
const taken = join(work, "images");
const devices = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 } },
} as const;
type Device = keyof typeof devices;
const schemes: readonly Scheme[] = ["light", "dark"];
const fleetKind = { nodes: 3, database: "sqlite", balancer: "builtin", strategy: "drain", seed: 1 } as const;
const releases = { from: "newton", to: "ocata" } as const;
const host = "127.0.0.1";
/** Whatever takes longer has failed. */
const msMax = 120_000;
/** A picture is no larger: the repository keeps every one of them for ever. */
const bytesMax = 110_000;
const colours = "128";
/** Times and dates on the pictures are told alike, whatever the machine is set to. */
const reader = { locale: "en-GB", timezoneId: "UTC" } as const;
/** Charts are drawn with the frame after the one that has their figures. */
const twoFrames = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))";

try {
  ensurePackages(neededForScreenshots);
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

async function main(): Promise<void> {
  mkdirSync(taken);
  const report = join(work, "report.html");
  const rollout = await record(join(work, "fleet"), report);
  const browser = await startChromium();
  try {
    await takeScenes(browser, rollout);
    await takeReport(browser, report);
  } finally {
    await browser.close();
  }
  // All of them or none; and those of names that are no more would stay for ever.
  rmSync(images, { recursive: true, force: true });
  cpSync(taken, images, { recursive: true });
  const sizes = readdirSync(images).map((name) => statSync(join(images, name)).size);
  const kilobytes = Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1_000);
  process.stderr.write(`${sizes.length} pictures are in ${images}, ${kilobytes} kB\n`);
}

/** A real rollout under traffic, and its report. */
async function record(folder: string, report: string): Promise<ReadRollout> {
  const state = initialState(releases);
  const screen = startScreen(state);
  let rollout: ReadRollout | undefined;
  try {
    const end = async (fleet: RunningFleet) => {
      rollout = await readRecord(fleet);
      const args = ["report", "--fleet", fleet.file, "--out", report];
      const { code, stderr } = await finish([...binary("glance-rollout"), ...args]);
      if (code !== 0) throw new Error(`there is no report: ${stderr}`);
    };
    const options = { ...fleetKind, ...releases, folder, keep: false, end };
    const outcome = await runDemo(options, state, new AbortController().signal);
    if (!isSuccess(outcome, summarize(outcome, fleetKind)))
      throw new Error("the rollout went wrong: look at npm run demo");
  } finally {
    screen.stop();
  }
  if (!rollout) throw new Error("nothing was recorded of the rollout");
  return rollout;
}

async function readRecord({ file, connection }: RunningFleet): Promise<ReadRollout | undefined> {
  const fleet = loadFleet(file);
  const db = await openDatabase(connection);
  try {
    const journals = createRolloutJournalRepository(db);
    const samples = async () => createRolloutSampleRepository(db);
    return await readRollout({ folder: fleet.journal, fleet: fleet.name, journals, samples });
  } finally {
    await db.close();
  }
}

async function takeScenes(browser: Browser, rollout: ReadRollout): Promise<void> {
  const page = await findPage(root, systemClock);
  const { record: recorded, past } = rollout;
  for (const name of sceneNames) {
    const live = sceneOf(name, recorded, past.events);
    const feed = new LiveFeed(live, systemClock);
    const control = { token: "for-these-pictures-only", doAct: async () => "" };
    const app = createConsoleServer({ feed, past: pastOf(rollout), page, host, control });
    const address = await listen(app, host, 0);
    const open = async (device: Device, scheme: Scheme) => {
      const opened = await openPage(browser, address, device, scheme);
      await opened.locator(".fresh-live").waitFor();
      return opened;
    };
    for (const device of ["desktop", "phone"] as const)
      for (const scheme of schemes) await take(await open(device, scheme), `${name}-${device}-${scheme}`);
    if (name === "nodes") await takeOrder(await open("desktop", "light"));
    if (name === "after")
      await takeReplay(await openPage(browser, `${address}/#/history`, "desktop", "light"), past.events);
    feed.close();
    await app.close();
  }
}

async function takeOrder(page: Page): Promise<void> {
  await page.click('.orders > button:text-is("Pause"):enabled');
  await page.fill("input[name=who]", "ann");
  await take(page, "order");
}

/** While the last node starts. */
async function takeReplay(page: Page, events: readonly JournalEvent[]): Promise<void> {
  const timeOf = (does: string) => {
    const found = events.find((event) => event.kind === "decision" && event.node === "n3" && event.data?.do === does);
    return Date.parse(found?.time ?? "");
  };
  await page.click("table a");
  await page.locator("input[type=range]").fill(String(Math.round((timeOf("start") + timeOf("probe")) / 2)));
  await take(page, "replay");
}

function pastOf({ record: recorded, past }: ReadRollout): PastRollouts {
  const { began, last, seconds, pauses } = reportOf(past.events);
  const about = { rollout: past.rolloutId, target: past.target, state: "finished", began, last, seconds } as const;
  const summary = { ...about, pauses: pauses.length, entries: past.events.length, broken: past.broken };
  const { samples, entries, notes, fleet } = recorded;
  const nodes = samples.nodes.map(({ atMs, read }) => ({ atMs, seen: read() }));
  return {
    list: async () => [summary],
    find: async () => ({ ...summary, fleet, lines: entries, notes, samples: samples.fleet, nodes }),
  };
}

/** From the disk, as whoever gets it by mail opens it. */
async function takeReport(browser: Browser, report: string): Promise<void> {
  for (const device of ["desktop", "phone"] as const)
    for (const scheme of schemes)
      await take(await openPage(browser, pathToFileURL(report).href, device, scheme), `report-${device}-${scheme}`);
}

async function openPage(browser: Browser, address: string, device: Device, colorScheme: Scheme): Promise<Page> {
  const page = await browser.newPage({ ...devices[device], ...reader, colorScheme, reducedMotion: "reduce" });
  page.setDefaultTimeout(msMax);
  await page.goto(address);
  return page;
}

async function take(page: Page, name: string): Promise<void> {
  const path = join(taken, `${name}.png`);
  await page.evaluate(twoFrames);
  await page.screenshot({ path, animations: "disabled" });
  await page.close();
  execFileSync("pngquant", ["--force", "--strip", "--speed", "1", "--output", path, colours, path]);
  const { size } = statSync(path);
  if (size > bytesMax) throw new Error(`${path} has ${size} bytes, and ${bytesMax} are allowed`);
}

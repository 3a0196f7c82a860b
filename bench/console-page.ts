// Claims: the console's page is painted within a second on loopback; with 1,000 nodes of which each looks otherwise four times a second it
// takes less than 30 % of a core in the browser and 5 % in the server; and all of it is less than 150 kB on its way.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync, statSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Browser, CDPSession, Page } from "playwright-core";
import { startChromium } from "../test/console/chromium.ts";
import type { Bench } from "./bench.ts";

export type PageQuestion = { readonly ask: "begin" | "end" };
export type PageAnswer = { readonly cpuMs: number; readonly ms: number; readonly updates: number };
type Served = { readonly address: string; readonly page: string };

const nodesAll = 1_000;
const secondsAll = 30;
const secondsMin = 5;
const paints = 5;
const msMax = 120_000;
const bytesMax = 150_000;

export const consolePage: Bench = {
  name: "console-page",
  summary: "the console's page in Chromium, of a large fleet that changes four times a second",
  async run({ scale, progress }) {
    const nodes = Math.max(10, Math.round(nodesAll * scale));
    const seconds = Math.max(secondsMin, Math.round(secondsAll * scale));
    const server = fork(fileURLToPath(new URL("console-page-process.ts", import.meta.url)), [String(nodes)]);
    const browser = await startChromium();
    try {
      const [{ address, page: folder }] = (await once(server, "message")) as [Served];
      progress(`painting it ${paints} times`);
      const painted: Painted[] = [];
      for (let turn = 0; turn < paints; turn++) painted.push(await paint(browser, address, nodes));
      progress(`looking at ${nodes} nodes for ${seconds} s`);
      const cost = await costOf(browser, server, address, nodes, seconds);
      return [
        { what: "first paint", value: middle(painted, "firstMs"), unit: "ms", bound: { atMost: 1_000 } },
        { what: `all ${nodes} nodes are there`, value: middle(painted, "wholeMs"), unit: "ms" },
        { what: "updates that the page was told, a second", value: cost.updatesPerSecond, unit: "/s" },
        { what: "of a core, the page in the browser", value: cost.page, unit: "%", bound: { atMost: 30 } },
        { what: "of a core, its process in the browser, drawing too", value: cost.renderers, unit: "%" },
        { what: "of a core, all processes of the browser", value: cost.browser, unit: "%" },
        { what: "of a core, the server", value: cost.server, unit: "%", bound: { atMost: 5 } },
        {
          what: "the page on its way",
          value: await packedBytes(address, folder),
          unit: "bytes",
          bound: { atMost: bytesMax },
        },
      ];
    } finally {
      await browser.close();
      server.disconnect();
    }
  },
};

type Painted = { readonly firstMs: number; readonly wholeMs: number };

async function paint(browser: Browser, address: string, nodes: number): Promise<Painted> {
  const page = await open(browser, address, nodes);
  const found = (await page.evaluate(`({
    firstMs: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Infinity,
    wholeMs: performance.now(),
  })`)) as Painted;
  await page.close();
  return found;
}

/** With a cache of its own, which is empty. */
async function open(browser: Browser, address: string, nodes: number): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(msMax);
  await page.goto(address);
  await page
    .locator(".tile")
    .nth(nodes - 1)
    .waitFor({ state: "attached" });
  return page;
}

async function costOf(browser: Browser, server: ChildProcess, address: string, nodes: number, seconds: number) {
  const page = await open(browser, address, nodes);
  const session = await page.context().newCDPSession(page);
  const whole = await browser.newBrowserCDPSession();
  await session.send("Performance.enable");
  const [taskSeconds, cpu] = [await taskSecondsOf(session), await cpuSecondsOf(whole)];
  await tell(server, { ask: "begin" });
  await sleep(seconds * 1_000);
  const { cpuMs, ms, updates } = await tell(server, { ask: "end" });
  const percent = (used: number) => (used / (ms / 1_000)) * 100;
  const [taskNow, cpuNow] = [await taskSecondsOf(session), await cpuSecondsOf(whole)];
  await page.close();
  return {
    updatesPerSecond: updates / (ms / 1_000),
    page: percent(taskNow - taskSeconds),
    renderers: percent(cpuNow.renderers - cpu.renderers),
    browser: percent(cpuNow.all - cpu.all),
    server: percent(cpuMs / 1_000),
  };
}

/** All that the page's main thread has done: scripts, styles, layout, painting. Of the wall's time: on a busy machine it is too much. */
async function taskSecondsOf(session: CDPSession): Promise<number> {
  const { metrics } = await session.send("Performance.getMetrics");
  return metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.POSITIVE_INFINITY;
}

async function cpuSecondsOf(session: CDPSession): Promise<{ readonly all: number; readonly renderers: number }> {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const sum = (processes: typeof processInfo) => processes.reduce((seconds, { cpuTime }) => seconds + cpuTime, 0);
  return { all: sum(processInfo), renderers: sum(processInfo.filter(({ type }) => type === "renderer")) };
}

async function tell(server: ChildProcess, question: PageQuestion): Promise<PageAnswer> {
  const answered = once(server, "message");
  server.send(question);
  const [answer] = (await answered) as [PageAnswer];
  return answer;
}

/** Of all its files, as browsers get them. */
async function packedBytes(address: string, folder: string): Promise<number> {
  let sum = 0;
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!statSync(join(folder, name)).isFile()) continue;
    const path = name === "index.html" ? "/" : `/${name}`;
    sum += await new Promise<number>((resolve, reject) => {
      get(`${address}${path}`, { headers: { "accept-encoding": "br" } }, (answer) => {
        let bytes = 0;
        answer.on("data", (part: Buffer) => {
          bytes += part.length;
        });
        answer.on("end", () => resolve(bytes));
      }).on("error", reject);
    });
  }
  return sum;
}

function middle(painted: readonly Painted[], of: keyof Painted): number {
  const values = painted.map((one) => one[of]).sort((a, b) => a - b);
  return Math.round(values[Math.floor(values.length / 2)] ?? Number.POSITIVE_INFINITY);
}

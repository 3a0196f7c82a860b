// The report: one file that says everything, asks the network for nothing, lets nobody's name become markup, and replaces no file unasked.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  began,
  beganMs,
  dated,
  fleetSample,
  nodeSample,
  nodesAt,
  timelineOf,
  wholeWay,
} from "../testing/rollout-scene.ts";
import type { Timeline } from "../timeline.ts";
import { escapeText } from "./html.ts";
import { reportPage } from "./report-page.ts";
import { writeReport } from "./write-report.ts";

const root = mkdtempSync(join(tmpdir(), "perennial-report-"));
after(() => rmSync(root, { recursive: true }));

const whole = { broken: null, copies: { database: 1, disk: 1 } };
const page = (timeline: Timeline, held = false) =>
  reportPage({ timeline, past: whole, held, nowMs: beganMs + 86_400_000, version: "1.2.3" });
const run = {
  kind: "observation",
  phase: "backup",
  text: "a run on to ocata begins on h",
  data: {
    run: {
      way: "forward",
      target: "ocata",
      host: "h",
      version: "0.9",
      settings: { strategy: "drain", batches: "1, 2" },
    },
  },
};
const samples = {
  fleet: [0, 20, 40, 100].map((seconds) => fleetSample(seconds)),
  nodes: [
    nodesAt(
      100,
      ["n1", "n2", "n3"].map((name) => nodeSample(name)),
    ),
  ],
};
const opened = (text: string, tag: string) => [...text.matchAll(new RegExp(`<${tag}[ >]`, "g"))].length;

test("report: totals, phases, nodes, every decision with its reason and outcome, versions and settings", () => {
  const text = page(timelineOf(dated([began, run, ...wholeWay.slice(1)]), { samples }));
  const decisions = wholeWay.filter(({ kind }) => kind === "decision");
  for (const { text: told } of decisions) {
    const why = told.slice(told.indexOf(": ") + 2);
    assert(text.includes(escapeText(why)), why);
  }
  for (const one of ["finished", "1,100", "4.1 kB", "newton → ocata", "batches", "1, 2", "0.9"])
    assert(text.includes(one), one);
  assert.match(text, /<b>100<\/b> <span>transfers/);
  assert(text.includes(`${decisions.length} decisions`));
  assert(opened(text, "svg") >= 3);
});

test("report: nothing is fetched and nothing runs: no script, no address, a policy that allows neither", () => {
  const text = page(timelineOf(dated(wholeWay), { samples }));
  assert.match(text, /Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/);
  assert.equal(opened(text, "script") + opened(text, "link") + opened(text, "img") + opened(text, "iframe"), 0);
  assert(!/\b(src|href|srcset)=|@import|url\((?!#)|https?:/.test(text));
});

test("report: a script in a name or a text stays text, wherever it stands", () => {
  const bad = `"><script>alert(1)</script><img src=x onerror=alert(1)>'\u202e`;
  const evil = dated([
    {
      ...began,
      data: { began: { [bad]: bad, n2: "newton" }, run: { ...run.data.run, host: bad, settings: { [bad]: bad } } },
    },
    ...(["decision", "result"] as const).map((kind) => ({
      kind,
      phase: bad,
      node: bad,
      text: bad,
      data: { do: "drain", ok: false, verdict: "failed" },
    })),
    { kind: bad, phase: "migrate", text: bad, data: { event: "progress", step: bad, detail: bad, rowsDone: 1 } },
  ]);
  const text = page(
    timelineOf(evil, {
      rolloutId: bad,
      fleet: bad,
      target: bad,
      notes: [bad],
      samples: { ...samples, nodes: [nodesAt(10, [nodeSample(bad, { release: bad })])] },
    }),
    true,
  );
  assert.equal(opened(text, "script") + opened(text, "img"), 0);
  assert(!text.includes("\u202e"));
  assert(text.includes("&lt;script&gt;alert(1)&lt;/script&gt;"));
  // Each attribute ends where this file ends it.
  assert(![...text.matchAll(/<[a-z][^>]*>/g)].some(([tag]) => /onerror|alert/.test(tag.replaceAll(/"[^"]*"/g, ""))));
});

test("report: it can be read without its pictures: headings in order, tables with heads, pictures with words", () => {
  const text = page(timelineOf(dated(wholeWay), { samples }));
  const levels = [...text.matchAll(/<h(\d)/g)].map(([, level]) => Number(level));
  assert.equal(levels[0], 1);
  assert(levels.every((level, index) => index === 0 || level <= (levels[index - 1] ?? 0) + 1));
  assert.equal(opened(text, "table"), opened(text, "thead"));
  for (const [svg] of text.matchAll(/<svg[^>]*>/g))
    assert.match(svg, /role="img" aria-label="[^"]+"|aria-hidden="true"/);
  const ids = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const [, id] of text.matchAll(/aria-labelledby="([^"]+)"/g)) assert(ids.includes(id), `${id}`);
});

test("report: what was not recorded or is old is said, and never shown as a figure of now", () => {
  const text = page(timelineOf(dated([began])));
  assert.match(text, /What this report does not know/);
  assert.match(text, /<b>not recorded<\/b> <span>requests answered/);
  assert.match(text, /Stopped: nobody is at it/);
  const late = page(timelineOf(dated([began]), { samples }), true);
  assert.match(late, /as of 23 h 58 min before/);
  for (const empty of [timelineOf([]), timelineOf([{}]), timelineOf([undefined])])
    assert.match(page(empty), /<\/html>/);
});

test("report: a file is written whole, and one that exists is replaced only on request", async () => {
  const file = join(root, "report.html");
  await writeReport(file, "first", false);
  await assert.rejects(writeReport(file, "second", false), {
    code: "rollout.report_unwritable",
    message: /report\.html exists and was left as it is; .*--force/,
  });
  assert.equal(readFileSync(file, "utf8"), "first");
  await writeReport(file, "third", true);
  assert.equal(readFileSync(file, "utf8"), "third");
  await assert.rejects(writeReport(join(root, "none", "r.html"), "x", false), { code: "rollout.report_unwritable" });
  writeFileSync(join(root, "plain"), "");
  await assert.rejects(writeReport(join(root, "plain", "r.html"), "x", true), { code: "rollout.report_unwritable" });
  assert.deepEqual(readdirSync(root).sort(), ["plain", "report.html"], "nothing half-written is left behind");
});

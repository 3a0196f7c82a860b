// The console's page held against what it is made of: each figure that stands still while no run is under way is worked out once more, from
// the journal, the samples and the registry as the database has them, by other code than the page's.
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { duration } from "../../console/src/words.ts";
import type { RunningFleet } from "../../demo/fleet.ts";
import { openRegistry } from "../../demo/registry.ts";
import { openDatabase } from "../../src/db/connect.ts";
import type { Database } from "../../src/db/database.ts";
import { createRolloutJournalRepository } from "../../src/db/repositories/rollout-journal-repository.ts";
import { createRolloutSampleRepository } from "../../src/db/repositories/rollout-sample-repository.ts";
import type { JournalEvent } from "../../src/rollout/journal-event.ts";

export const phases = ["backup", "expand", "migrate", "nodes", "contract"] as const;
const stepOf: Readonly<Record<string, string>> = {
  backup: "back-up",
  expand: "expand",
  migrate: "migrate",
  contract: "contract",
};
const msMax = 180_000;

export async function shows(page: Page, place: string, text: string | RegExp): Promise<void> {
  await page.locator(place).filter({ hasText: text }).first().waitFor({ timeout: msMax });
}

export async function texts(page: Page, place: string): Promise<readonly string[]> {
  await page.locator(place).first().waitFor();
  return page.locator(place).allTextContents();
}

/** `events`: what the runs so far have told; none is under way. `current`: the phase they came to; null: it is finished. */
export async function compare(
  page: Page,
  fleet: RunningFleet,
  events: readonly JournalEvent[],
  current: (typeof phases)[number] | null,
): Promise<void> {
  const db = await openDatabase(fleet.connection, { poolSizeMax: 1 });
  try {
    await shows(page, ".badge", current === null ? "finished" : "waiting");
    const stored = await storedJournal(db);
    assert.deepEqual(
      stored.map(({ seq, text }) => `${seq} ${text}`),
      events.map(({ seq, text }) => `${seq} ${text}`),
    );
    await compareJournal(page, stored);
    await comparePhases(page, stored, current);
    await compareNodes(page, fleet);
    await compareTraffic(page, db, { rollout: await rolloutId(db), isOver: current === null });
    await compareMigration(page, db, stored);
  } finally {
    await db.close();
  }
}

async function rolloutId(db: Database): Promise<string> {
  return (await createRolloutJournalRepository(db).list()).at(-1)?.rolloutId ?? assert.fail("a rollout has begun");
}

async function storedJournal(db: Database): Promise<readonly JournalEvent[]> {
  const entries = await createRolloutJournalRepository(db).read(await rolloutId(db));
  return entries.map(({ entry }) => JSON.parse(entry) as JournalEvent);
}

async function compareJournal(page: Page, events: readonly JournalEvent[]): Promise<void> {
  await shows(page, ".panel-journal .panel-aside", `${events.length} entries`);
  assert.deepEqual(
    await page.locator(".entry-text").allTextContents(),
    events
      .slice(-150)
      .map(({ text }) => text)
      .reverse(),
  );
  const passed = events.filter((event) => isDone(event, "back-up") || isDone(event, "probe")).length;
  await shows(page, ".panel-gates .panel-aside", `${passed} passed, 0 failed`);
}

async function comparePhases(
  page: Page,
  events: readonly JournalEvent[],
  current: (typeof phases)[number] | null,
): Promise<void> {
  const done = phases.filter((phase) => {
    if (current === null) return true;
    if (phase === current) return false;
    return events.some((event) => isDone(event, stepOf[phase] ?? ""));
  });
  assert.deepEqual(await page.locator(".phase-done .phase-name").allTextContents(), done);
  assert.deepEqual(
    await page.locator(".phase-current .phase-name").allTextContents(),
    current === null ? [] : [current],
  );
  // The one it stands in goes on taking time.
  for (const phase of done) {
    const place = `.phase >> nth=${phases.indexOf(phase)} >> .phase-time`;
    assert.equal(await page.locator(place).textContent(), duration(Math.round(msOf(events, phase) / 100) / 10), phase);
  }
}

/** Each entry's time counts to its phase until the next one. */
function msOf(events: readonly JournalEvent[], phase: string): number {
  return events.reduce((sum, event, index) => {
    const next = events[index + 1];
    return next && event.phase === phase ? sum + Date.parse(next.time) - Date.parse(event.time) : sum;
  }, 0);
}

async function compareNodes(page: Page, fleet: RunningFleet): Promise<void> {
  const registry = await openRegistry(fleet.connection);
  const rows = await registry.rows();
  await registry.close();
  assert.deepEqual(
    rows.map(({ name }) => name),
    await texts(page, ".card h3"),
  );
  for (const [index, { name, release, state, uploads, downloads }] of rows.entries()) {
    const card = `.card >> nth=${index}`;
    assert.equal(state, "serving", name);
    await shows(page, card, release);
    await shows(page, `${card} >> .state`, "serving");
    await shows(page, card, /rotation\s*in/);
    await shows(page, card, new RegExp(`transfers\\s*${uploads + downloads}`));
  }
  const target = fleet.nodes.length - rows.filter(({ release }) => release === "newton").length;
  await shows(page, ".panel-nodes .panel-aside", `${target} of ${rows.length} nodes on ocata`);
}

/** Counts only grow within a run, so that its last sample, taken after its last entry, less its first is what was answered in between. */
async function compareTraffic(
  page: Page,
  db: Database,
  { rollout, isOver }: { rollout: string; isOver: boolean },
): Promise<void> {
  type Body = { run: string; answers: Readonly<Record<string, number>> };
  const stored = await createRolloutSampleRepository(db).read(rollout, "fleet");
  const samples = stored.map(({ body }) => JSON.parse(body) as Body);
  const sum = ({ answers }: Body) => Object.values(answers).reduce((all, count) => all + count, 0);
  const requests = [...Map.groupBy(samples, ({ run }) => run).values()].reduce(
    (all, [first, ...more]) => all + (first ? sum(more.at(-1) ?? first) - sum(first) : 0),
    0,
  );
  if (isOver) assert(requests > 0, "there was traffic, and it was recorded");
  await shows(page, ".totals > div:nth-child(4) dd", new RegExp(`^${requests.toLocaleString("en")}$`));
  await shows(page, ".totals > div:nth-child(5) dd", /^0$/);
}

async function compareMigration(page: Page, db: Database, events: readonly JournalEvent[]): Promise<void> {
  const last = events.findLast((event) => event.phase === "migrate" && event.data?.event === "progress")?.data;
  const done = events.find((event) => isDone(event, "migrate"));
  if (!done) {
    await shows(page, ".panel-migration", "No data has been migrated yet.");
    return;
  }
  const [row] = await db.query("SELECT COUNT(*) AS pending FROM images WHERE visibility IS NULL");
  assert.equal(Number(row?.pending), 0);
  await shows(page, ".panel-migration .panel-aside", "done");
  const rows = /, (\d+) rows$/.exec(done.text)?.[1];
  assert(rows !== undefined && Number(rows) > 0, done.text);
  await shows(page, ".panel-migration", `${rows} of ${rows}`);
  await shows(page, ".panel-migration", `${last?.batchRows} rows`);
}

function isDone(event: JournalEvent, step: string): boolean {
  return event.kind === "result" && event.data?.do === step && event.data.ok === true;
}

// What is ordered from a console, by its effect: requests and rows in the database, notes for the journal with who gave the order, and the
// command that is started where no run is under way.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { eventually } from "../../../test/servers/eventually.ts";
import type { ConsoleAct } from "../../console/acts.ts";
import { LiveDesk } from "../../console/live-desk.ts";
import { systemClock } from "../../core/clock.ts";
import { createRolloutLeaseRepository } from "../../db/repositories/rollout-lease-repository.ts";
import { createRolloutRequestRepository } from "../../db/repositories/rollout-request-repository.ts";
import { readControls } from "../../db/schema/migrate-controls.ts";
import { DatabaseProgress } from "../../db/schema/progress-store.ts";
import type { Fleet } from "../../rollout/fleet.ts";
import { RolloutLease } from "../../rollout/lease.ts";
import { smallFleet } from "../testing/small-fleet.ts";
import { commandLog, consoleActs } from "./console-acts.ts";
import { databaseOf } from "./rollout-parts.ts";

const root = mkdtempSync(join(tmpdir(), "perennial-acts-"));
after(() => rmSync(root, { recursive: true }));
const msMax = 120_000;

test("acts: a pause, an abort and a resume stand as those of the commands do, with who gave them", async (t) => {
  const { doAct, requests, settled, running } = await scene(t);
  await doAct({ act: "pause" }, "ann");
  const asked = await requests.find();
  assert.equal(asked?.do, "pause");
  assert.match(asked.told, /^ann by console, .+@.+ at \d{4}-/);
  const lease = await running();
  assert.match(await doAct({ act: "resume" }, "bob"), /the run goes on/);
  assert.equal(await requests.find(), undefined);
  assert.match(await noted(requests), /^resumed by bob by console, /);
  assert.match(await doAct({ act: "resume" }, "bob"), /Nothing was paused/);
  await lease.release();
  await doAct({ act: "abort" }, "ann");
  await settled();
  assert.equal(
    await requests.find(),
    undefined,
    "no rollout was under way, and nothing is left that would end the next one",
  );
});

test("acts: the data migration is paused, changed and resumed by the row that it reads", async (t) => {
  const { doAct, db, requests } = await scene(t);
  const controls = async () => readControls(await DatabaseProgress.open(db));
  await doAct({ act: "migrate-pause" }, "ann");
  assert.equal((await controls()).paused, true);
  await doAct({ act: "migrate-limits", limits: { batchRowsMax: 7 } }, "ann");
  assert.deepEqual(await controls(), { paused: true, limits: { batchRowsMax: 7 } });
  await doAct({ act: "migrate-resume" }, "ann");
  assert.equal((await controls()).paused, false);
  assert.match(await noted(requests), /was paused by ann.*7.* by ann.*was resumed by ann/s);
});

test("acts: a contract is not begun beside a run that does it by itself", async (t) => {
  const { doAct, requests, running } = await scene(t);
  const lease = await running();
  await assert.rejects(doAct({ act: "contract" }, "ann"), { code: "schema.locked", message: /is at the rollout/ });
  assert.equal(await noted(requests), "");
  await lease.release();
});

test("acts: where no run is under way a command is started, and the page is told where it fails", async (t) => {
  const orders: readonly (readonly [ConsoleAct, string, RegExp])[] = [
    [{ act: "resume" }, "run", /^resumed by ann/],
    [{ act: "contract" }, "run", /^contract was confirmed by ann/],
    [{ act: "rollback" }, "rollback", /^rollback was ordered by ann/],
  ];
  const give = async ([order, command, note]: (typeof orders)[number]) => {
    const { doAct, desk, fleet, requests } = await scene(t, { fleetFile: "none.yaml" });
    await doAct(order, "ann");
    assert.match(await noted(requests), note);
    const told = new RegExp(`glance-rollout ${command} ended with 78; .*console\\.log has what it said`);
    await eventually("the page is told", () => desk.head.notes.some((one) => told.test(one)), { msMax });
    assert.match(readFileSync(commandLog(fleet), "utf8"), /none\.yaml: cannot be read/);
  };
  await Promise.all(orders.map(give));
});

async function noted(requests: ReturnType<typeof createRolloutRequestRepository>): Promise<string> {
  return (await requests.notes()).map(({ text }) => text).join("\n");
}

/** A console's desk over a small fleet. `fleetFile`: what started commands are to read. */
async function scene(t: TestContext, { fleetFile }: { fleetFile?: string } = {}) {
  const { fleet: loaded, db } = await smallFleet(root);
  const fleet: Fleet = fleetFile === undefined ? loaded : { ...loaded, file: join(loaded.journal, "..", fleetFile) };
  const database = databaseOf(fleet);
  const desk = new LiveDesk({ fleet, control: true, clock: systemClock });
  const stop = new AbortController();
  const { doAct, settled } = consoleActs({ fleet, database, desk, signal: stop.signal });
  t.after(async () => {
    stop.abort();
    await settled();
    desk.close();
    await database.close();
    await db.close();
  });
  /** Somebody is at the rollout until the lease is given back. */
  const running = () =>
    RolloutLease.take(createRolloutLeaseRepository(db), { clock: systemClock, signal: new AbortController().signal });
  return { doAct, settled, desk, fleet, db, requests: createRolloutRequestRepository(db), running };
}

// The database server is killed with -9 at every step from Newton to the newest release and started again. glance-manage says so and
// ends; run again it goes on; and the database ends as one whose server never died, row by row.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DatabaseKind } from "../../../demo/database.ts";
import { databasesFor, isFull } from "../scope.ts";
import { KeptDatabase, type Phase, phases } from "./kept-database.ts";
import { type Fingerprint, fingerprint } from "./schema-fingerprint.ts";

const images = 6_000;
/** In a full run every step that is begun, otherwise every so many. */
const every = isFull ? 1 : 10;
/** Failed, or: the database cannot be used. */
const honestCodes = [1, 69];

for (const database of databasesFor("postgresql").filter((kind) => kind !== "sqlite"))
  test(`the server is killed at every step from Newton to the newest and started again: ${database}`, {
    timeout: 1_800_000,
  }, async (t) => {
    const undisturbed = await upgradeDatabase(database);
    const kills: string[] = [];
    assert.deepEqual(await upgradeDatabase(database, kills), undisturbed);
    t.diagnostic(`killed ${kills.length} times: ${kills.join("; ")}`);
    for (const phase of phases)
      assert(
        kills.some((one) => one.startsWith(phase)),
        `in ${phase} it was never killed`,
      );
    if (isFull) assert(kills.length > 25, `only ${kills.length} kills`);
  });

/** `kills` is filled with the moments of the kills; absent: none. */
function upgradeDatabase(kind: DatabaseKind, kills?: string[]): Promise<Fingerprint> {
  return KeptDatabase.with(kind, images, async (kept) => {
    const passed = new Set<string>();
    for (const phase of phases) {
      // The first moment of each phase is always one of them.
      let first = kills !== undefined;
      while (!(await runOnce(kept, phase, passed, { kills, first }))) first = false;
    }
    return kept.open(fingerprint);
  });
}

/** True when the phase came to its end; each moment is a reason to kill the server only once. */
async function runOnce(
  kept: KeptDatabase,
  phase: Phase,
  passed: Set<string>,
  { kills, first }: { kills: string[] | undefined; first: boolean },
): Promise<boolean> {
  const server = kept.server ?? assert.fail("SQLite has no server");
  let crash: Promise<void> | undefined;
  const { code, stderr } = await kept.run([phase], (moment) => {
    if (!kills || crash || passed.has(moment) || moment.endsWith(": applied")) return;
    passed.add(moment);
    if (passed.size % every !== 0 && !first) return;
    kills.push(`${phase}: ${moment}`);
    crash = server.crash();
  });
  if (!crash) {
    assert.equal(code, 0, stderr);
    return true;
  }
  await crash;
  await server.restart();
  // What it was told to do may have been done by then.
  if (code !== 0) {
    assert(honestCodes.includes(code ?? -1), `ended with ${code}: ${stderr}`);
    assert.match(stderr.trim().split("\n").at(-1) ?? "", /\S/, "it says what happened");
  }
  return false;
}

// Requests to a rollout, and notes for its journal.
import assert from "node:assert/strict";
import { ensureTables } from "../schema/own-tables.ts";
import { rolloutTables } from "../schema/rollout-tables.ts";
import { testOnDatabases } from "../testing/databases.ts";
import { createRolloutRequestRepository } from "./rollout-request-repository.ts";

testOnDatabases(
  "requests: notes for the journal stay until they are taken over, and are no request",
  "newton",
  async ({ db }) => {
    await ensureTables(db, rolloutTables);
    const requests = createRolloutRequestRepository(db);
    await requests.leaveNote("resumed by ann");
    await requests.leaveNote("contract was confirmed by bob");
    assert.equal(await requests.find(), undefined);
    await requests.ask({ do: "pause", told: "ann" });
    const notes = await requests.notes();
    assert.deepEqual(notes.map(({ text }) => text).sort(), ["contract was confirmed by bob", "resumed by ann"]);
    for (const { name } of notes) await requests.removeNote(name);
    assert.deepEqual(await requests.notes(), []);
    assert.deepEqual(await requests.find(), { do: "pause", told: "ann" });
  },
);

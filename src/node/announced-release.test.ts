// What clients are told of the API's versions while a fleet is between two releases.
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../core/logger.ts";
import { releaseOf } from "../releases/catalogue.ts";
import { createAnnouncement } from "./announced-release.ts";

const newton = releaseOf("newton");
const ocata = releaseOf("ocata");
const node = (release: string, state = "serving", silentSeconds = 1) => ({ record: { release, state }, silentSeconds });

function announcing(own = ocata) {
  const state = { rows: [node("ocata")], asked: 0, reachable: true };
  const announced = createAnnouncement({
    own,
    oldest: newton,
    logger: silentLogger,
    nodes: async () => {
      state.asked++;
      if (!state.reachable) throw new Error("unreachable");
      return state.rows;
    },
  });
  return { state, announced: async () => (await announced()).id };
}

test("announced: a new node announces the old release until the last old node has stopped or is long silent", async () => {
  const { state, announced } = announcing();
  for (const living of [node("newton"), node("newton", "draining"), node("newton", "starting", 20)]) {
    state.rows = [node("ocata"), living];
    assert.equal(await announced(), "newton");
  }
  state.rows = [node("ocata"), node("newton", "stopped"), node("newton", "serving", 600)];
  assert.equal(await announced(), "ocata");
});

test("announced: it never goes back, and nobody is asked any more", async () => {
  const { state, announced } = announcing();
  assert.equal(await announced(), "ocata");
  state.rows = [node("newton")];
  assert.equal(await announced(), "ocata");
  assert.equal(state.asked, 1);
});

test("announced: an old node announces its own, whoever else there is", async () => {
  const { state, announced } = announcing(newton);
  state.rows = [node("ocata"), node("some-later-one")];
  assert.equal(await announced(), "newton");
});

test("announced: while the registry cannot be asked, the last answer stands", async () => {
  const { state, announced } = announcing();
  state.reachable = false;
  assert.equal(await announced(), "newton");
  state.reachable = true;
  assert.equal(await announced(), "ocata");
  state.reachable = false;
  assert.equal(await announced(), "ocata");
});

// What clients are told of the API's versions while a fleet is between two releases.
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../core/logger.ts";
import { newestRelease, releaseOf } from "../releases/catalogue.ts";
import { createAnnouncement, createDescription } from "./announced-release.ts";

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

test("announced: of three releases the oldest one living, on the middle one too", async () => {
  for (const own of [releaseOf("queens"), newestRelease]) {
    const { state, announced } = announcing(own);
    state.rows = [node("2026.1"), node("queens"), node("newton")];
    assert.equal(await announced(), "newton");
    state.rows = [node("2026.1"), node("queens"), node("newton", "stopped")];
    assert.equal(await announced(), "queens");
  }
});

test("announced: among releases that announce the same, the step between them is none a client sees", async () => {
  const { state, announced } = announcing(releaseOf("2026.1"));
  const seen: unknown[] = [];
  for (const oldest of ["2024.2", "2025.1", "2025.2", "2026.1"] as const) {
    state.rows = [node("2026.1"), node(oldest)];
    assert.equal(await announced(), oldest);
    seen.push(releaseOf(oldest).apiVersions({ multiStore: true, cache: true, imageImport: false }));
  }
  assert.deepEqual(seen, Array(4).fill(seen[0]));
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

test("described: an old node publishes the schemas of the newest that lives, from its start on, and its own when that has left", async () => {
  const state = { rows: [node("newton")], reachable: true };
  const described = createDescription({
    own: newton,
    logger: silentLogger,
    nodes: async () => {
      if (!state.reachable) throw new Error("unreachable");
      return state.rows;
    },
  });
  const told = async () => (await described()).id;
  assert.equal(await told(), "newton");
  state.rows = [node("newton"), node("queens"), node("ocata", "starting")];
  assert.equal(await told(), "queens");
  state.reachable = false;
  assert.equal(await told(), "queens");
  state.reachable = true;
  state.rows = [node("newton"), node("queens", "stopped"), node("ocata", "serving", 600), node("of another package")];
  assert.equal(await told(), "newton");
});

// A take-over that is stopped half-way and given back: Glance serves on every node again, and clients saw nothing of either. Its nodes are units of a
// real systemd on a host reached by ssh, as most operators' are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertOk, oursAmong, startGlanceFleet } from "./glance-fleet.ts";

test("a take-over of a running Glance that is paused half-way is given back; nothing fails, and every image is as it was", {
  timeout: 1_500_000,
}, async (t) => {
  const fleet = await startGlanceFleet({ target: "2026.1", seed: 42, hosts: "units of systemd, by ssh" });
  try {
    const asGlance = await fleet.unitsAtBoot();
    assert.deepEqual(Object.values(asGlance), ["enabled", "disabled", "enabled", "disabled"]);
    const plan = await fleet.rollout(["takeover", "plan", "--json"]);
    assertOk(plan);
    const { release, nodes, problems } = JSON.parse(plan.stdout) as {
      release: string;
      nodes: { node: string; version: string; process: string; files: string[]; unlikeFirst: string[] }[];
      problems: string[];
    };
    assert.deepEqual([release, problems], ["zed", []]);
    for (const node of nodes) {
      assert.match(node.version, /^25\.1\./);
      assert.match(node.process, /^process \d+: .*glance-api/);
      assert.equal(node.files.length, 3, "configuration, paste file and policy");
      assert.deepEqual(node.unlikeFirst, []);
    }

    const halfWay = await fleet.user.beside(() =>
      fleet.rollout(["takeover", "run", "--yes", "--json"], (event, kill) => {
        if (event.kind === "result" && event.data?.do === "enable") kill("SIGTERM");
      }),
    );
    assert.equal(halfWay.code, 1, halfWay.stderr);
    assert.deepEqual(await oursAmong(fleet), ["n1"]);
    assert.deepEqual(Object.values(await fleet.unitsAtBoot()), ["disabled", "enabled", "enabled", "disabled"]);
    await fleet.recorder.more(20, t.signal);

    assertOk(await fleet.user.beside(() => fleet.rollout(["rollback", "--yes", "--json"])));
    assert.deepEqual(await oursAmong(fleet), []);
    assert.deepEqual(await fleet.unitsAtBoot(), asGlance);
    await fleet.recorder.more(20, t.signal);
    await fleet.arrive();
    assert.deepEqual(await fleet.heads(), ["wallaby_contract01"]);
    t.diagnostic(`${fleet.recorder.requests} requests, ${fleet.user.rounds} images by the openstack command`);
  } finally {
    await fleet.stop();
  }
});

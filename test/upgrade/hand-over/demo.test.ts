// The demo by hand-over: every node is upgraded where it is, with uploads under way that outlive the rollout. They take their time, so this is
// part of the full run only.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type HostKind, hostKinds } from "../../../demo/hosts.ts";
import { finish } from "../../../demo/processes.ts";
import { whyNoSystemd } from "../../servers/systemd.ts";
import { isFull } from "../scope.ts";

const script = fileURLToPath(new URL("../../../demo/main.ts", import.meta.url));

const skipOn: Readonly<Record<HostKind, string | null>> = { processes: null, systemd: whyNoSystemd() };

for (const hosts of isFull ? hostKinds : []) {
  const title = `demo: nodes (${hosts}) hand over in place while uploads outlive the rollout`;
  test(title, { timeout: 1_200_000, skip: skipOn[hosts] ?? false }, async (t) => {
    const command = [process.execPath, script, "--json", "--strategy", "handover", "--hosts", hosts];
    const { code, stdout, stderr } = await finish(command, { msMax: 1_100_000 });
    const { failed, transfersCut, imagesWrong, contracted, release } = JSON.parse(stdout) as Record<string, unknown>;
    const expected = { failed: 0, transfersCut: 0, imagesWrong: 0, contracted: true, release: "ocata" };
    assert.deepEqual({ failed, transfersCut, imagesWrong, contracted, release }, expected, stderr);
    assert.equal(code, 0, stderr);
    t.diagnostic(stdout.trim());
  });
}

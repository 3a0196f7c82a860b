// The declared options as a whole, held against what configurations of Glance say.
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../core/config.ts";
import { configuration } from "./wire-options.ts";

test("options: where Glance keeps its lock files is known, by its older name too, and what is misspelt beside it is not", () => {
  const text = `[DEFAULT]
lock_path = /var/lock/glance
[oslo_concurrency]
lock_path = /var/lock/glance
disable_process_locking = true
lock_paht = /var/lock/glance
`;
  const { unknown } = loadConfig({ files: [{ file: "glance-api.conf", text }], ...configuration });
  assert.deepEqual(unknown, ["oslo_concurrency.lock_paht (glance-api.conf)"]);
});

// Where ssh's sockets lie: the address of a UNIX socket holds no long path.
import assert from "node:assert/strict";
import { test } from "node:test";
import { socketFolderIn } from "./ssh-host.ts";

test("ssh: its sockets go where their addresses are short enough, though the temporary folder is deep", () => {
  const deep = `/tmp/${"deep/".repeat(12)}`;
  assert.match(socketFolderIn(["/run/user/7", "/tmp"]), /^\/run\/user\/7\/glance-rollout-\d+$/);
  assert.match(socketFolderIn([deep, "/tmp"]), /^\/tmp\/glance-rollout-\d+$/);
});

// What callers without a token get where the operator lets them look around.
import assert from "node:assert/strict";
import { test } from "node:test";
import { anonymous } from "../identity/anonymous.ts";
import { startApi } from "./testing/api-server.ts";

test("api: whoever is anonymous reads, and changes nothing even where the policy lets everybody", async () => {
  const policy = { allows: (rule: string) => rule !== "context_is_admin" };
  const source = { authenticate: (_headers: unknown, requestId: string) => anonymous(requestId) };
  await using api = await startApi({ policy, callers: source });
  assert.equal((await fetch(`${api.url}/v2/images`)).status, 200);
  const image = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
  assert.equal((await fetch(`${api.url}/v2/images`, image)).status, 403);
  const { headers } = await fetch(`${api.url}/v2/images/x/tags/y`, { method: "PUT" });
  assert(headers.get("x-openstack-request-id")?.startsWith("req-"));
});

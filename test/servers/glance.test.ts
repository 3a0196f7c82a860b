// The reference's own nodes, as the tests of mixed fleets start them.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { binary, finish } from "../../demo/processes.ts";
import { type GlanceSite, makeGlanceSite, setUpGlance, startGlance } from "./glance.ts";
import { type MariadbServer, startMariadb } from "./mariadb.ts";

let server: MariadbServer | undefined;
let site: GlanceSite | undefined;
after(async () => {
  await site?.stop();
  await server?.stop();
});

test("glance: a node starts on a database of ours, leaves rotation by its file, stops, starts again and can be killed", async () => {
  site = makeGlanceSite();
  server = await startMariadb();
  const setup = await setUpGlance(site, { name: "g1", database: await server.createDatabase() });
  const made = await finish([...binary("glance-manage"), "--config-file", setup.config, "db", "sync", "--to", "zed"]);
  assert.equal(made.code, 0, made.stderr);
  const headers = {
    "x-identity-status": "Confirmed",
    "x-user-id": "ann",
    "x-project-id": "red",
    "x-roles": "member",
    "content-type": "application/json",
  };
  const node = await startGlance(setup);
  const created = await fetch(`${node.url}/v2/images`, { method: "POST", headers, body: '{"name": "one"}' });
  assert.equal(created.status, 201, node.output());
  const health = async () => (await fetch(`${node.url}/healthcheck`)).status;
  assert.equal(await health(), 200);
  writeFileSync(node.disableFile, "");
  assert.equal(await health(), 503);
  await node.stop();
  await assert.rejects(fetch(node.url));
  const again = await startGlance(setup);
  const list = (await (await fetch(`${again.url}/v2/images`, { headers })).json()) as { images: { name: string }[] };
  assert.deepEqual(
    list.images.map((image) => image.name),
    ["one"],
  );
  await again.crash();
  await assert.rejects(fetch(again.url));
});

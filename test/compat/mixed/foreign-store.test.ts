// A real Glance node that has a store which ours has not, on one database: images there are shown, read and deleted by way of our node, which
// passes on what needs their data.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { StopStack } from "../../../src/core/lifecycle.ts";
import { ann, startSmallFleet, uploaded } from "./small-fleet.ts";

const stops = new StopStack();
after(() => stops.stop());

const data = randomBytes(3_000_000);

/** Glance has `vault`; our node knows that the name is of a kind it has not. */
async function startFleet() {
  let vault = "";
  const { theirs, ours } = await startSmallFleet(stops, (site) => {
    vault = join(site.folder, "vault");
    mkdirSync(vault);
    return {
      defaultBackend: "fast",
      theirs: { backends: "fast:file,vault:file", sections: { vault: { filesystem_store_datadir: vault } } },
      ours: (url) => ({
        backends: "fast:file,vault:cinder",
        sections: { perennial: { release: "zed", foreign_store_proxy: url } },
      }),
    };
  });
  return { theirs, ours, vault };
}

test("mixed fleet: what Glance keeps in a store that our node has not is shown, read and deleted by way of our node", async () => {
  const { theirs, ours, vault } = await startFleet();
  const [id, kept] = [await uploaded(theirs.url, data, "vault"), await uploaded(theirs.url, data, "vault")];
  const at = (path = "", init: RequestInit = {}) =>
    fetch(`${ours}/v2/images/${id}${path}`, { ...init, headers: { ...ann, ...init.headers } });
  const shown = (await (await at()).json()) as { status: string; stores: string };
  assert.deepEqual([shown.status, shown.stores], ["active", "vault"]);
  const whole = await at("/file");
  assert.equal(whole.status, 200);
  assert(data.equals(Buffer.from(await whole.arrayBuffer())));
  const part = await at("/file", { headers: { range: "bytes=1000000-1000099" } });
  assert.equal(part.status, 206);
  assert(data.subarray(1_000_000, 1_000_100).equals(Buffer.from(await part.arrayBuffer())));
  // A store that both have needs nobody's help, whoever wrote there.
  const near = await uploaded(theirs.url, data, "fast");
  const refused = await fetch(`${ours}/v2/images/${id}/file`, { headers: { "x-auth-token": "bob:blue:member" } });
  assert.equal(refused.status, 404);
  assert.equal((await at("", { method: "DELETE" })).status, 204);
  assert.equal(existsSync(join(vault, id)), false, "the data has gone with the rows");
  assert.equal((await fetch(`${theirs.url}/v2/images/${id}`, { headers: ann })).status, 404);
  assert.equal((await at("", { method: "DELETE" })).status, 404);

  await theirs.stop();
  const away = await fetch(`${ours}/v2/images/${kept}/file`, { headers: ann });
  assert.equal(away.status, 503);
  const undeleted = await fetch(`${ours}/v2/images/${kept}`, { method: "DELETE", headers: ann });
  assert.equal(undeleted.status, 503);
  assert.equal((await fetch(`${ours}/v2/images/${kept}`, { headers: ann })).status, 200);
  assert(existsSync(join(vault, kept)), "nothing of it has changed");
  const own = await fetch(`${ours}/v2/images/${near}/file`, { headers: ann });
  assert(data.equals(Buffer.from(await own.arrayBuffer())));
});
